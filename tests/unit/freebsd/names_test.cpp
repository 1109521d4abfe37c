#include <set>

#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/freebsd/pure/units.h"
#include "tests/instance.h"

using namespace jaild;
using namespace jaild::kernel;
using jaild::test::instance;
using namespace jaild::kernel::freebsd;

namespace {

Places places() {
    return Places({.instance = instance(), .state_directory = "/var/db/jaild", .helper_directory = "/x"});
}

}  // namespace

TEST_CASE("a jail is ours by exactly the path that we give", "[freebsd]") {
    CHECK(places().jail_of_root("/var/db/jaild/jails/12/root") == JailId{12});
    CHECK(places().jail_of_root(places().root({9}).string()) == JailId{9});
    const auto* path =
        GENERATE("", "/", "/var/db/jaild/jails/root", "/var/db/jaild/jails//root", "/var/db/jaild/jails/12",
                 "/var/db/jaild/jails/012/root", "/var/db/jaild/jails/-1/root", "/var/db/jaild/jails/0/root",
                 "/var/db/jaild/jails/12/root/", "/var/db/jaild/jails/12/root/jails/3/root",
                 "/var/db/jaild/jails/12/../12/root", "/var/db/jaild2/jails/12/root", "/var/db/jaild/jails/1 2/root");
    CAPTURE(path);
    CHECK_FALSE(places().jail_of_root(path));
}

TEST_CASE("a bridge's unit is the same every time, is no small number and fits into a name", "[freebsd]") {
    std::set<std::string> all;
    for (std::int64_t network = 1; network <= 200; ++network) {
        const auto name = bridge_driver(instance(), {network});
        CAPTURE(name);
        CHECK(name == bridge_driver(instance(), {network}));
        CHECK(name.size() <= 15);
        const auto unit = std::stol(name.substr(6));
        CHECK(unit >= 1'000'000);
        CHECK(unit < 0x7fffff);
        all.insert(name);
    }
    CHECK(all.size() == 200);
    CHECK(bridge_driver(*InstanceId::parse("other"), {1}) != bridge_driver(instance(), {1}));
}
