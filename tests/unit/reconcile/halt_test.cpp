#include <nlohmann/json.hpp>

#include "core/reconcile/engine.h"
#include "tests/unit/reconcile/house.h"
#include "tests/unit/reconcile/toy.h"

/// The host goes down: every jail is stopped, and nothing of what anybody asked for is lost.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Crash;
using jaild::kernel::memory::When;
using jaild::model::JailState;
using jaild::test::value_of;

namespace {

constexpr Milliseconds kHaltPatience{45'000};

/// "web" with programs, "db" on the same network, "idle" that should not run; all as asked for.
struct DyingHost {
    House house{};
    model::Jail web = house.create(R"({"name":"web","command":["sleep","inf"],"exec":{"stop":["true"]}})");
    model::Jail db = house.create(R"({"name":"db"})");
    model::Jail idle = house.create(R"({"name":"idle","running":false})");

    DyingHost() {
        for (const auto& jail : {web, db, idle}) value_of(house.reconciler->reconcile(jail.id));
    }
    /// jaild after the reboot.
    void next_daemon() {
        house.start_anew();
        value_of(house.reconciler->resync());
    }
    /// All that is written down of what anybody asked for.
    [[nodiscard]] Steps asked() {
        Steps rows;
        for (const auto& row : store_test::all_jails(*house.state.store))
            rows.push_back(model::to_json(row).dump() + " " + std::to_string(row.incarnation));
        return rows;
    }
    [[nodiscard]] bool nothing_runs() {
        const auto state = house.kernel.state();
        return state.prisons.empty() && state.mounts.empty() && state.pairs.empty();
    }
};

}  // namespace

TEST_CASE("a halt stops every jail, and the next daemon starts what should run", "[reconcile][halt]") {
    DyingHost host;
    auto& house = host.house;
    const auto asked = host.asked();

    CHECK(value_of(house.reconciler->halt(kHaltPatience)).empty());
    CHECK(host.nothing_runs());
    CHECK(house.status(host.web).state == JailState::stopped);
    CHECK(house.condition(host.web, "Ready")->message.find("host goes down") != std::string::npos);
    CHECK(house.events("host.stopping") == Steps{R"({"jails":3})"});
    CHECK(host.asked() == asked);

    host.next_daemon();
    CHECK(house.status(host.web).state == JailState::running);
    CHECK(house.status(host.web).command_pid != 0);
    CHECK(house.status(host.db).state == JailState::running);
    CHECK(house.status(host.idle).state == JailState::stopped);
    CHECK(house.events("drift.repaired").empty());
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("nothing that looks at jails during a halt starts one", "[reconcile][halt]") {
    DyingHost host;
    auto& house = host.house;
    value_of(house.reconciler->halt(kHaltPatience));

    value_of(house.reconciler->resync());
    value_of(house.reconciler->reconcile(host.web.id));
    CHECK(value_of(house.reconciler->plan_now(host.web)).empty());
    const auto late = house.create(R"({"name":"late"})");
    value_of(house.reconciler->reconcile(late.id));
    CHECK(host.nothing_runs());
}

TEST_CASE("a halt ends no operation that it keeps from its end, and lets the others be", "[reconcile][halt]") {
    DyingHost host;
    auto& house = host.house;
    const auto fresh = house.create(R"({"name":"fresh"})");
    house.restart(host.web);
    house.stop(host.db);
    house.remove(host.idle);

    CHECK(value_of(house.reconciler->halt(kHaltPatience)).empty());
    CHECK(house.operation(fresh) == "running");
    CHECK(house.operation(host.web) == "running");
    CHECK(house.operation(host.db) == "succeeded");
    CHECK(house.operation(host.idle) == "succeeded");

    host.next_daemon();
    CHECK(house.operation(fresh) == "succeeded");
    CHECK(house.operation(host.web) == "succeeded");
    CHECK(house.status(fresh).state == JailState::running);
    CHECK(house.status(host.db).state == JailState::stopped);
}

TEST_CASE("a jail that cannot be stopped is named, and its operation goes on", "[reconcile][halt]") {
    DyingHost host;
    auto& house = host.house;
    house.restart(host.web);
    house.kernel.faults().clear();
    house.kernel.faults().random(1, {.fail = 1.0});
    CHECK(value_of(house.reconciler->halt(kHaltPatience)) == Steps{"web", "db", "idle"});
    // However often it is tried.
    for (int tries = 0; tries < 8; ++tries) CHECK_FALSE(house.reconciler->reconcile(host.web.id));
    CHECK(house.operation(host.web) == "running");
}

TEST_CASE("a daemon that dies in the middle of a halt loses nothing", "[reconcile][halt][crash]") {
    const auto point = GENERATE(range(std::size_t{1}, std::size_t{60}, std::size_t{2}));
    const auto when = GENERATE(When::before, When::after);
    INFO("crash at point " << point);
    DyingHost host;
    auto& house = host.house;
    const auto asked = host.asked();
    house.kernel.faults().clear();
    house.kernel.faults().crash(point, when);
    try {
        (void)house.reconciler->halt(kHaltPatience);
    } catch (const Crash&) {
    }
    house.kernel.faults().clear();

    host.next_daemon();
    CHECK(host.asked() == asked);
    CHECK(house.status(host.web).state == JailState::running);
    CHECK(house.status(host.web).command_pid != 0);
    CHECK(house.status(host.db).state == JailState::running);
    CHECK(house.status(host.idle).state == JailState::stopped);
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("a jail's programs get a third of what a halt has left, never less than a second", "[reconcile][halt]") {
    House house;
    const auto web = house.create(R"({"name":"web","exec":{"timeout":60}})");
    const auto brief = house.create(R"({"name":"brief","exec":{"timeout":2}})");
    reconcile::Engine engine(*house.state.store, house.kernel, house.clock, {});
    CHECK(engine.held(web).spec == web.spec);

    engine.halt(Milliseconds{30'000});
    CHECK_FALSE(engine.held(web).spec.running);
    CHECK(engine.held(web).spec.exec.timeout == Milliseconds{10'000});
    CHECK(engine.held(brief).spec.exec.timeout == Milliseconds{2'000});
    house.clock.passed += Milliseconds{24'000};
    CHECK(engine.held(web).spec.exec.timeout == Milliseconds{2'000});
    house.clock.passed += Milliseconds{24'000};
    CHECK(engine.held(web).spec.exec.timeout == Milliseconds{1'000});
}

TEST_CASE("jails are begun by their priority at a boot, and stopped the other way around", "[reconcile][halt][boot]") {
    House house;
    const auto late = house.create(R"({"name":"late","priority":90,"exec":{"start":["true"],"stop":["true"]}})");
    const auto usual = house.create(R"({"name":"usual","exec":{"start":["true"],"stop":["true"]}})");
    const auto early = house.create(R"({"name":"early","priority":0,"exec":{"start":["true"],"stop":["true"]}})");
    Steps begun;
    house.kernel.hook = [&](std::string_view call, JailId id) -> Result<void> {
        if (call == "processes.run") begun.push_back(std::to_string(id.value));
        return {};
    };
    value_of(house.reconciler->resync());
    const auto order = [](std::initializer_list<model::Jail> jails) {
        Steps ids;
        for (const auto& jail : jails) ids.push_back(std::to_string(jail.id.value));
        return ids;
    };
    CHECK(begun == order({early, usual, late}));
    begun.clear();
    value_of(house.reconciler->halt(kHaltPatience));
    CHECK(begun == order({late, usual, early}));
}
