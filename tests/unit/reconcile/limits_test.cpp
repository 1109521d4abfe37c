#include "core/model/limits.h"

#include "tests/unit/reconcile/house.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Remains;
using jaild::test::error_of;
using jaild::test::value_of;

namespace {

constexpr const char* kLimited = R"({"name": "web", "limits": {"memoryuse": "1M", "maxproc": 9}})";

std::vector<model::LimitRule> rules(const House& house) {
    const auto limits = house.kernel.state().limits;
    const auto found = limits.find("web");
    return found == limits.end() ? std::vector<model::LimitRule>{} : found->second;
}

}  // namespace

TEST_CASE("a jail's limits are in place before it is, and gone after it", "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    CHECK(rules(house) == model::rules_of(jail.spec.limits));
    CHECK(house.kernel.violations() == std::vector<std::string>{});

    const auto stopped = house.stop(jail);
    value_of(house.reconciler->reconcile(stopped.id));
    CHECK(rules(house).empty());
    CHECK(house.operation(stopped) == "succeeded");
}

TEST_CASE("a rule that somebody deleted comes back at the next thorough look, and an event says so",
          "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    REQUIRE(house.kernel.hand().remove_limits("web"));
    value_of(house.reconciler->resync());
    CHECK(rules(house) == model::rules_of(jail.spec.limits));
    const auto events = house.events("drift.repaired");
    REQUIRE(events.size() == 1);
    CHECK(events[0].find("ensure_limits web") != std::string::npos);
}

TEST_CASE("a rule on a stopped jail's name goes at the next thorough look", "[reconcile][limits]") {
    House house;
    house.settled(R"({"name": "web", "running": false})");
    REQUIRE(house.kernel.hand().add_limit("web", {.resource = "nthr", .limit = {.amount = 1, .action = "log"}}));
    value_of(house.reconciler->resync());
    CHECK(rules(house).empty());
}

TEST_CASE("limits are changed while the jail runs on", "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    const auto jid = house.kernel.state().prisons.front().jid;
    const auto changed = house.change(jail, [](model::JailSpec& spec) { spec.limits.erase("maxproc"); });
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(rules(house) == model::rules_of(changed.spec.limits));
    CHECK(house.kernel.state().prisons.front().jid == jid);
    CHECK_FALSE(house.condition(jail, "RestartRequired"));
}

TEST_CASE("a jail whose limits nobody enforces is kept stopped, and says so, until somebody does",
          "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    const auto plain = house.settled(R"({"name": "plain"})");
    house.kernel.hand().set_racct(false);

    CHECK(error_of(house.reconciler->reconcile(jail.id)).name() == "limits_unsupported");
    CHECK(house.kernel.state().prisons.size() == 1);
    CHECK(house.status(jail).state == model::JailState::failed);
    const auto condition = house.condition(jail, "LimitsNotEnforced");
    REQUIRE(condition);
    CHECK(condition->status);
    CHECK(condition->message.find("kern.racct.enable=1") != std::string::npos);
    // Nothing of it is left half made, and the others go on.
    CHECK(house.kernel.state().mounts.size() == value_of(house.kernel.mounts().list(plain.id)).size());
    value_of(house.reconciler->reconcile(plain.id));
    CHECK(house.status(plain).state == model::JailState::running);

    house.kernel.hand().set_racct(true);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(house.status(jail).state == model::JailState::running);
    CHECK_FALSE(house.condition(jail, "LimitsNotEnforced"));
    CHECK(house.kernel.violations() == std::vector<std::string>{});
}

TEST_CASE("a jail that cannot be limited is stopped and removed all the same", "[reconcile][limits]") {
    House house;
    auto jail = house.settled(kLimited);
    house.kernel.hand().set_racct(false);
    (void)house.reconciler->reconcile(jail.id);
    jail = house.stop(jail);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(house.status(jail).state == model::JailState::stopped);
    house.remove(jail);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(house.kernel.state().directories.empty());
}

TEST_CASE("nothing is done to the limits of somebody else's jail that took the name", "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    REQUIRE(house.kernel.hand().kill_jail(jail.id, Remains::nothing));
    REQUIRE(house.kernel.hand().take_name("web"));
    const auto theirs = rules(house);
    CHECK(error_of(house.reconciler->reconcile(jail.id)).name() == "name_in_use");
    CHECK(house.condition(jail, "NameTaken"));
    (void)house.reconciler->resync();
    house.remove(jail);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(rules(house) == theirs);
}

TEST_CASE("each time that a limit is met is counted in its jail's life, and told of once", "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    REQUIRE(house.kernel.hand().breach_limit(jail.id, "maxproc"));
    REQUIRE(house.kernel.hand().breach_limit(jail.id, "maxproc"));
    value_of(house.reconciler->resync());
    CHECK(house.status(jail).limit_breaches == std::map<std::string, std::uint64_t>{{"maxproc", 2}});
    CHECK(house.events("limit.breached") ==
          std::vector<std::string>{"{\"resource\":\"maxproc\",\"times\":2,\"total\":2}"});
    value_of(house.reconciler->resync());
    CHECK(house.events("limit.breached").size() == 1);

    const auto again = house.restart(jail);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(house.status(again).limit_breaches.empty());
    REQUIRE(house.kernel.hand().breach_limit(jail.id, "maxproc"));
    value_of(house.reconciler->resync());
    CHECK(house.events("limit.breached").back() == "{\"resource\":\"maxproc\",\"times\":1,\"total\":1}");
}

TEST_CASE("a limit that ended its jail's command is told of, although the jail is gone by then",
          "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(R"({"name": "web", "limits": {"memoryuse": "1M"}, "command": ["/bin/server"]})");
    REQUIRE(house.kernel.hand().breach_limit(jail.id, "memoryuse"));
    REQUIRE(house.kernel.hand().end_command(jail.id, 137));
    const auto stopped = house.stop(jail);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(house.status(stopped).state == model::JailState::stopped);
    CHECK(house.events("limit.breached") ==
          std::vector<std::string>{"{\"resource\":\"memoryuse\",\"times\":1,\"total\":1}"});
}

TEST_CASE("what was met before a daemon was started is no news to it", "[reconcile][limits]") {
    House house;
    const auto jail = house.settled(kLimited);
    REQUIRE(house.kernel.hand().breach_limit(jail.id, "maxproc"));
    house.start_anew();
    value_of(house.reconciler->resync());
    CHECK(house.events("limit.breached").empty());
    REQUIRE(house.kernel.hand().breach_limit(jail.id, "maxproc"));
    value_of(house.reconciler->resync());
    CHECK(house.events("limit.breached") ==
          std::vector<std::string>{"{\"resource\":\"maxproc\",\"times\":1,\"total\":2}"});
}

TEST_CASE("a parameter that somebody changed is set again, one that is taken away waits", "[reconcile][parameters]") {
    House house;
    const auto jail = house.settled(R"({"name": "web", "parameters": {"allow.raw_sockets": 1, "children.max": 3}})");
    const auto now = [&] {
        return value_of(house.kernel.jails().parameters(jail.id, {"allow.raw_sockets", "children.max"}));
    };
    REQUIRE(house.kernel.hand().set_parameter(jail.id, {"allow.raw_sockets", false}));
    value_of(house.reconciler->resync());
    CHECK(now().at("allow.raw_sockets") == model::ParameterValue(true));

    const auto less = house.change(jail, [](model::JailSpec& spec) { spec.parameters.erase("allow.raw_sockets"); });
    value_of(house.reconciler->reconcile(jail.id));
    REQUIRE(house.condition(less, "RestartRequired"));
    CHECK(house.condition(less, "RestartRequired")->message.find("/parameters/allow.raw_sockets") != std::string::npos);
    CHECK(now().at("allow.raw_sockets") == model::ParameterValue(true));

    house.restart(less);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK_FALSE(house.condition(less, "RestartRequired"));
    CHECK(now() == model::Parameters{{"allow.raw_sockets", false}, {"children.max", std::int64_t{3}}});
}

TEST_CASE("the devices that a jail sees are those of its ruleset", "[reconcile][parameters]") {
    House house;
    const auto jail = house.settled(R"({"name": "web", "devfs_ruleset": 10})");
    CHECK(house.kernel.state().mounts.back().mount.ruleset == 10);
    CHECK(house.kernel.state().prisons.front().devfs_ruleset == 10);
}
