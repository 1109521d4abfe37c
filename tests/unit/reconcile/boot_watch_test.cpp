#include "core/reconcile/boot_watch.h"

#include "tests/catch.h"

using namespace jaild;
using reconcile::BootWatch;
using std::chrono::seconds;

namespace {

const std::vector<JailId> kThree{JailId{1}, JailId{2}, JailId{3}};

BootWatch::Seen up(std::string name) {
    return {.name = std::move(name), .runs = true};
}

}  // namespace

TEST_CASE("a boot without a jail to start says nothing", "[reconcile][boot]") {
    BootWatch watch;
    watch.begin({}, Clock::Monotonic{});
    CHECK_FALSE(watch.watching());
    CHECK_FALSE(watch.look({}, Clock::Monotonic{}));
}

TEST_CASE("a boot says how far it is, once for each change, and when all jails run", "[reconcile][boot]") {
    BootWatch watch;
    const Clock::Monotonic begin{};
    watch.begin(kThree, begin);
    std::vector<BootWatch::Seen> jails{up("db"),
                                       {.name = "app", .waits = true, .problem = "waits for db"},
                                       {.name = "web", .problem = "exec_start: no"}};
    const auto first = watch.look(jails, begin + seconds(5));
    REQUIRE(first);
    CHECK(first->text == "boot: 1 of 3 jails run; not started yet: web; waiting for others: app");
    CHECK_FALSE(first->warning);
    CHECK_FALSE(watch.look(jails, begin + seconds(10)));
    jails[1] = up("app");
    CHECK(watch.look(jails, begin + seconds(15)).value_or(BootWatch::Line{}).text ==
          "boot: 2 of 3 jails run; not started yet: web");
    jails[2] = up("web");
    CHECK(watch.look(jails, begin + seconds(16)).value_or(BootWatch::Line{}).text ==
          "boot: all 3 jails run, after 16.0 s");
    CHECK_FALSE(watch.watching());
}

TEST_CASE("who has not come up in time is named with the reason, and nothing is said of a boot afterwards",
          "[reconcile][boot]") {
    BootWatch watch;
    const Clock::Monotonic begin{};
    watch.begin(kThree, begin);
    const std::vector<BootWatch::Seen> jails{up("db"), {.name = "web", .problem = "exec_start: no"}};
    const auto last = watch.look(jails, begin + BootWatch::kPatience);
    REQUIRE(last);
    CHECK(last->warning);
    CHECK(last->text == "boot: 1 of 2 jails run; web: exec_start: no, after 120 s; they are tried again");
    CHECK_FALSE(watch.look(jails, begin + BootWatch::kPatience + seconds(5)));
}
