#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "tests/unit/reconcile/house.h"

/// Jails that need other jails.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::model::JailState;
using jaild::test::value_of;

namespace {

constexpr Milliseconds kOrderlyHalt{45'000};

model::Condition ready_of(House& house, const model::Jail& jail) {
    return house.condition(jail, "Ready").value_or(model::Condition{});
}

}  // namespace

TEST_CASE("a jail waits for the one that it needs, and says so", "[reconcile][order]") {
    House house;
    const auto web = house.settled(R"({"name":"web","depends_on":["DB"]})");
    CHECK(house.status(web).state == JailState::starting);
    CHECK(ready_of(house, web).reason == "DependencyDown");
    CHECK(ready_of(house, web).message == "waits for DB, which is not there");
    CHECK(house.operation(web) == "running");
    CHECK(house.status(web).observed_generation == 0);

    const auto db = house.settled(R"({"name":"db","running":false})");
    value_of(house.reconciler->resync());
    CHECK(ready_of(house, web).message == "waits for DB, which is stopped");
    house.change(db, [](model::JailSpec& spec) { spec.running = true; });
    value_of(house.reconciler->reconcile(db.id));
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.operation(web) == "succeeded");
    CHECK(house.status(web).observed_generation == 1);

    SECTION("one that runs goes on when the other stops, and waits when it is to start again") {
        house.stop(db);
        value_of(house.reconciler->reconcile(db.id));
        value_of(house.reconciler->resync());
        CHECK(house.status(web).state == JailState::running);
        house.restart(web);
        value_of(house.reconciler->reconcile(web.id));
        CHECK(house.status(web).state == JailState::starting);
        CHECK(ready_of(house, web).message == "waits for DB, which is stopped");
    }
    SECTION("one that is not to run waits for nobody") {
        house.stop(db);
        value_of(house.reconciler->reconcile(db.id));
        house.stop(web);
        value_of(house.reconciler->reconcile(web.id));
        CHECK(house.status(web).state == JailState::stopped);
        CHECK(house.operation(web) == "succeeded");
    }
    SECTION("after a start of the daemon nothing that runs waits") {
        house.start_anew();
        value_of(house.reconciler->resync());
        CHECK(house.status(web).state == JailState::running);
    }
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("a jail whose dependency fails is not failed itself", "[reconcile][order]") {
    House house;
    const auto db = house.create(R"({"name":"db","exec":{"start":["false"]}})");
    CHECK_FALSE(house.reconciler->reconcile(db.id));
    const auto web = house.settled(R"({"name":"web","depends_on":["db"]})");
    CHECK(house.status(web).state == JailState::starting);
    CHECK(ready_of(house, web).message == "waits for db, which is failed");
}

TEST_CASE("a halt stops whoever needs another before it", "[reconcile][order][halt]") {
    House house;
    const auto db = house.settled(R"({"name":"db"})");
    const auto web = house.settled(R"({"name":"web","depends_on":["db"]})");
    std::vector<std::string> stopped;
    house.reconciler->on_status([&](JailId id) {
        if (house.reconciler->status(id).state == JailState::stopped) stopped.push_back(id == db.id ? "db" : "web");
    });
    CHECK(value_of(house.reconciler->halt(kOrderlyHalt)).empty());
    CHECK(stopped == std::vector<std::string>{"web", "db"});
}

TEST_CASE("a jail that does not go keeps the one that it needs for two thirds of a halt", "[reconcile][order][halt]") {
    House house;
    const auto db = house.settled(R"({"name":"db"})");
    const auto web = house.settled(R"({"name":"web","depends_on":["db"]})");
    house.kernel.faults().always("jails.remove", EBUSY);
    CHECK(value_of(house.reconciler->halt(kOrderlyHalt)) == std::vector<std::string>{"db", "web"});
    CHECK(house.status(db).state == JailState::stopping);
    house.kernel.faults().clear();
    // It is in nobody's way any more, though it still lives.
    house.clock.passed += 2 * kOrderlyHalt / 3;
    value_of(house.reconciler->reconcile(db.id));
    CHECK(house.status(db).state == JailState::stopped);
    CHECK(house.status(web).state != JailState::stopped);
}

TEST_CASE("with its threads, many jails come up in their order whatever order they were asked for in",
          "[reconcile][order][threads]") {
    House house;
    reconcile::ReconcilerOptions options;
    // Nobody looks by himself within the test's patience.
    options.resync = Milliseconds{600'000};
    house.reconciler =
        std::make_unique<reconcile::Reconciler>(*house.state.store, house.kernel, Clock::system(), options);
    std::vector<model::Jail> jails;
    for (int number = 20; number > 1; --number)
        jails.push_back(house.create(R"({"name":"j)" + std::to_string(number) + R"(","depends_on":["j)" +
                                     std::to_string(number - 1) + R"("]})"));
    std::mutex mutex;
    std::condition_variable changed;
    house.reconciler->on_status([&](JailId) {
        const std::lock_guard lock(mutex);
        changed.notify_all();
    });
    house.reconciler->start();
    jails.push_back(house.create(R"({"name":"j1"})"));
    house.reconciler->poke(jails.back().id);
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::seconds{30}, [&] {
        return std::ranges::all_of(jails,
                                   [&](const auto& jail) { return house.status(jail).state == JailState::running; });
    }));
    lock.unlock();
    CHECK(house.reconciler->stop());
    // In the order of their numbers: each has a jid larger than the one that it needs.
    std::int64_t before = std::numeric_limits<std::int64_t>::max();
    for (const auto& jail : jails) {
        const auto now = house.status(jail).jid;
        CHECK(now < before);
        before = now;
    }
    CHECK(house.kernel.violations().empty());
}

namespace {

constexpr auto kFollower = R"({"name":"web","command":["sleep","1000"],"exec":{"stop":["echo","bye"]},
    "depends_on":[{"jail":"db","condition":"healthy","on_death":"restart"}]})";
constexpr auto kFirst = R"({"name":"db","command":["sleep","1000"],
    "health":{"tcp":{"port":5432},"retries":1,"start_period":0},"restart":"always"})";

void look_again(House& house, const model::Jail& jail) {
    value_of(house.reconciler->reconcile(jail.id));
}

void ask(House& house, const model::Jail& jail, bool good) {
    house.reconciler->probed(jail.id, {.good = good, .message = good ? "" : "connection refused"});
    look_again(house, jail);
}

}  // namespace

TEST_CASE("a jail waits until the one that it needs is healthy", "[reconcile][order][health]") {
    House house;
    const auto web = house.settled(kFollower);
    const auto db = house.settled(kFirst);
    look_again(house, web);
    CHECK(ready_of(house, web).reason == "WaitsForDependency");
    CHECK(ready_of(house, web).message == "waits for db, which is not healthy yet");
    ask(house, db, false);
    look_again(house, web);
    CHECK(ready_of(house, web).reason == "DependencyDown");
    CHECK(ready_of(house, web).message == "waits for db, which is unhealthy");
    ask(house, db, true);
    look_again(house, web);
    CHECK(house.status(web).state == JailState::running);

    // Who runs goes on.
    const auto life = house.status(web).jid;
    ask(house, db, false);
    look_again(house, web);
    CHECK(house.status(web).jid == life);
    CHECK(house.status(web).state == JailState::running);
}

TEST_CASE("a jail is made anew after the one that it follows, in good order and once", "[reconcile][order][health]") {
    House house;
    const auto db = house.settled(kFirst);
    ask(house, db, true);
    const auto web = house.settled(kFollower);
    const auto last = house.settled(R"({"name":"last","depends_on":[{"jail":"web","on_death":"restart"}]})");
    const auto other = house.settled(R"({"name":"other","depends_on":["db"]})");
    const auto jid = [&](const model::Jail& jail) { return house.status(jail).jid; };
    const auto before = jid(web);
    const auto others = jid(other);
    const auto all = [&] {
        for (const auto& one : {last, web, other, db}) look_again(house, one);
        value_of(house.reconciler->resync());
    };

    SECTION("when its command ended and was run again") {
        REQUIRE(house.kernel.hand().end_command(db.id, 3));
        all();
    }
    SECTION("when somebody restarts it") {
        house.restart(db);
        all();
    }
    SECTION("when it was killed by hand") {
        REQUIRE(house.kernel.hand().kill_jail(db.id, kernel::memory::Remains::nothing));
        all();
    }
    SECTION("over a new daemon") {
        house.restart(db);
        look_again(house, db);
        house.start_anew();
        value_of(house.reconciler->resync());
    }
    CHECK(jid(web) == before);
    // Not before it is as it should be.
    ask(house, db, true);
    all();
    all();
    CHECK(jid(web) > jid(db));
    CHECK(jid(last) > jid(web));
    CHECK(jid(other) == others);
    const auto after = jid(web);
    const auto end = jid(last);
    for (int round = 0; round < 3; ++round) all();
    CHECK(jid(web) == after);
    CHECK(jid(last) == end);
    CHECK(house.events("dependency.restarted").size() == 2);
    CHECK(house.events("drift.repaired").size() <= 1);  // of db, if it was killed
}
