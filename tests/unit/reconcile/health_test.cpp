#include "tests/unit/reconcile/house.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using model::HealthState;
using model::JailState;

namespace {

constexpr auto kProbed = R"({"name": "web", "command": ["sleep", "1000"],
    "health": {"tcp": {"port": 80}, "retries": 2, "start_period": 0, "restart": true},
    "restart": {"max_retries": 2, "delay": 4}})";

void probe(House& house, const model::Jail& jail, bool good, int times = 1) {
    for (int count = 0; count < times; ++count)
        house.reconciler->probed(jail.id, {.good = good, .message = good ? "" : "connection refused"});
}

void look_at(House& house, const model::Jail& jail) {
    REQUIRE(house.reconciler->reconcile(jail.id));
}

HealthState health_of(const House& house, const model::Jail& jail) {
    return house.status(jail).health.value().state;
}

}  // namespace

TEST_CASE("the health of a jail is in its status, and its changes are events", "[reconcile][health]") {
    House house;
    const auto web = house.settled(R"({"name": "web", "health": {"tcp": {"port": 80}, "retries": 2}})");
    CHECK(health_of(house, web) == HealthState::starting);
    probe(house, web, false, 3);
    CHECK(house.status(web).health->failures == 0);
    CHECK(house.status(web).health->message == "connection refused");
    probe(house, web, true);
    CHECK(health_of(house, web) == HealthState::healthy);
    look_at(house, web);
    CHECK(house.events("jail.healthy").size() == 1);
    probe(house, web, false);
    CHECK(house.status(web).health->failures == 1);
    CHECK(health_of(house, web) == HealthState::healthy);
    probe(house, web, false);
    CHECK(health_of(house, web) == HealthState::unhealthy);
    look_at(house, web);
    REQUIRE(house.events("jail.unhealthy").size() == 1);
    CHECK(house.events("jail.unhealthy").front().find("connection refused") != std::string::npos);
    const auto sick = house.condition(web, "Unhealthy");
    REQUIRE(sick);
    CHECK(sick->message.starts_with("the tcp probe of port 80 failed 2 times in a row: connection refused; look into"));
    CHECK(house.status(web).state == JailState::running);
    probe(house, web, true);
    look_at(house, web);
    CHECK_FALSE(house.condition(web, "Unhealthy"));
    CHECK(house.events("jail.healthy").size() == 2);
    CHECK(house.events("drift.repaired").empty());

    const auto other = house.change(web, [](model::JailSpec& spec) { spec.health.reset(); });
    look_at(house, other);
    CHECK_FALSE(house.status(web).health);
}

TEST_CASE("a jail that turns unhealthy is made anew, later and later, and given up in the end", "[reconcile][health]") {
    House house;
    const auto web = house.settled(kProbed);
    const auto first = house.status(web).jid;
    probe(house, web, true);
    probe(house, web, false, 2);
    look_at(house, web);
    CHECK(house.status(web).jid != first);
    CHECK(house.status(web).restarts == 1);
    CHECK(health_of(house, web) == HealthState::starting);
    REQUIRE(house.events("command.restarted").size() == 1);
    CHECK(house.events("command.restarted").front().find(R"("reason":"unhealthy")") != std::string::npos);
    CHECK(house.events("command.ended").empty());

    // The second in a row waits.
    const auto second = house.status(web).jid;
    probe(house, web, false, 2);
    look_at(house, web);
    CHECK(house.status(web).jid == second);
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.condition(web, "Unhealthy")->message.find("it is run again at") != std::string::npos);
    house.clock.passed += Milliseconds{6'000};
    look_at(house, web);
    CHECK(house.status(web).restarts == 2);

    probe(house, web, false, 2);
    look_at(house, web);
    CHECK(house.status(web).state == JailState::failed);
    const auto spent = house.condition(web, "RetriesSpent");
    REQUIRE(spent);
    CHECK(spent->message.starts_with("the jail was unhealthy after 2 restarts within 600 s"));
    CHECK(house.status(web).restarts == 2);
    SECTION("it may recover by itself") {
        probe(house, web, true);
        look_at(house, web);
        CHECK(house.status(web).state == JailState::running);
        CHECK_FALSE(house.condition(web, "RetriesSpent"));
    }
    SECTION("or somebody restarts it") {
        look_at(house, house.restart(web));
        CHECK(house.status(web).state == JailState::running);
        CHECK(house.status(web).restarts == 0);
    }
}

TEST_CASE("a jail that recovers while it waits for its restart is left alone", "[reconcile][health]") {
    House house;
    const auto web = house.settled(kProbed);
    probe(house, web, false, 2);
    look_at(house, web);
    probe(house, web, false, 2);
    look_at(house, web);
    const auto life = house.status(web).jid;
    probe(house, web, true);
    house.clock.passed += Milliseconds{60'000};
    look_at(house, web);
    CHECK(house.status(web).jid == life);
    CHECK(house.status(web).restarts == 1);
}

TEST_CASE("a daemon that comes back asks before it judges", "[reconcile][health]") {
    House house;
    const auto web = house.settled(kProbed);
    probe(house, web, true);
    look_at(house, web);
    const auto life = house.status(web).jid;
    house.start_anew();
    look_at(house, web);
    CHECK(house.status(web).state == JailState::running);
    CHECK(health_of(house, web) == HealthState::starting);
    probe(house, web, true);
    look_at(house, web);
    CHECK(health_of(house, web) == HealthState::healthy);
    // Found at work: no news.
    CHECK(house.events("jail.healthy").size() == 1);
    CHECK(house.status(web).jid == life);
}

TEST_CASE("what does not run has no health", "[reconcile][health]") {
    House house;
    const auto web = house.settled(kProbed);
    probe(house, web, true);
    SECTION("stopped") {
        look_at(house, house.stop(web));
        CHECK_FALSE(house.status(web).health);
        probe(house, web, false, 5);
        CHECK(house.status(web).state == JailState::stopped);
    }
    SECTION("its command has ended") {
        REQUIRE(house.kernel.hand().end_command(web.id, 0));
        look_at(house, web);
        CHECK_FALSE(house.status(web).health);
    }
}
