#include <algorithm>
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

TEST_CASE("a bridge's units are the same every time, no small numbers, and not beyond what the kernel has",
          "[freebsd]") {
    for (std::int64_t network = 1; network <= 2000; ++network) {
        const auto names = bridge_drivers(instance(), {network});
        CHECK(names == bridge_drivers(instance(), {network}));
        for (const auto& name : names) {
            CAPTURE(name);
            const auto unit = std::stol(name.substr(6));
            CHECK(unit >= 1'000);
            CHECK(unit <= 0x7fff);
            CHECK(is_bridge_driver(instance(), {network}, name));
        }
        CHECK(std::set(names.begin(), names.end()).size() == names.size());
    }
    CHECK(bridge_drivers(*InstanceId::parse("other"), {1}) != bridge_drivers(instance(), {1}));
    CHECK_FALSE(is_bridge_driver(instance(), {1}, "bridge0"));
}

TEST_CASE("networks whose first unit is taken find another one", "[freebsd]") {
    std::set<std::string> taken;
    for (std::int64_t network = 1; network <= 2000; ++network) {
        const auto names = bridge_drivers(instance(), {network});
        CHECK(std::ranges::any_of(names, [&](const auto& name) { return taken.insert(name).second; }));
    }
}
