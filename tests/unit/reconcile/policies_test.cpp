#include "core/reconcile/policies.h"

#include "tests/unit/reconcile/house.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::test::error_of;
using jaild::test::value_of;

namespace {

constexpr const char* kConfined = R"({"name": "web", "firewall": {"ingress": {"rules": [{"from": {"jail": "db"}}]}}})";
constexpr const char* kPublishing = R"({"name": "web", "publish": [{"host_port": 8080, "jail_port": 80}]})";

bool loaded(const House& house, const model::Jail& jail) {
    return house.kernel.state().jail_rules.contains(jail.id);
}

bool runs(const House& house, const model::Jail& jail) {
    return house.status(jail).state == model::JailState::running;
}

/// Looks at everything, as often as in that time.
void pass(House& house, std::chrono::seconds time) {
    for (auto passed = std::chrono::seconds{0}; passed < time; passed += std::chrono::seconds{5}) {
        house.clock.passed += std::chrono::seconds{5};
        (void)house.reconciler->resync();
    }
}

}  // namespace

TEST_CASE("a jail whose policy nobody enforces is kept stopped, and says so, until somebody does",
          "[reconcile][policy]") {
    House house;
    house.kernel.hand().set_pfil_member(false);
    const auto jail = house.create(kConfined);
    CHECK(error_of(house.reconciler->reconcile(jail.id)).name() == "firewall_not_enforceable");
    CHECK(house.kernel.state().prisons.empty());
    const auto condition = house.condition(jail, "FirewallNotEnforced");
    REQUIRE(condition);
    CHECK(condition->status);
    CHECK(condition->message.contains("net.link.bridge.pfil_member=1"));

    house.kernel.hand().set_pfil_member(true);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(runs(house, jail));
    CHECK(loaded(house, jail));
    CHECK_FALSE(house.condition(jail, "FirewallNotEnforced"));
}

TEST_CASE("a running jail whose policy is enforced no more is stopped, but not for a moment of it",
          "[reconcile][policy]") {
    House house;
    const auto jail = house.settled(kConfined);
    const auto plain = house.settled(R"({"name": "plain"})");
    house.kernel.hand().set_pfil_member(false);

    SECTION("for a moment") {
        (void)house.reconciler->reconcile(jail.id);
        CHECK(house.condition(jail, "FirewallNotEnforced"));
        house.clock.passed += std::chrono::seconds{5};
        (void)house.reconciler->reconcile(jail.id);
        CHECK(house.kernel.state().prisons.size() == 2);
        house.kernel.hand().set_pfil_member(true);
        const auto jid = house.kernel.state().prisons.front().jid;
        value_of(house.reconciler->reconcile(jail.id));
        CHECK(house.kernel.state().prisons.front().jid == jid);
        CHECK(runs(house, jail));
    }
    SECTION("for long") {
        pass(house, std::chrono::seconds{60});
        CHECK(house.kernel.state().prisons.size() == 1);
        CHECK_FALSE(loaded(house, jail));
        CHECK(house.condition(jail, "FirewallNotEnforced"));
        CHECK(runs(house, plain));
        house.kernel.hand().set_pfil_member(true);
        pass(house, std::chrono::seconds{60});
        CHECK(runs(house, jail));
    }
    CHECK(house.kernel.violations() == std::vector<std::string>{});
}

TEST_CASE("published ports that cannot be had only degrade their jail", "[reconcile][policy]") {
    House house;
    const auto jail = house.settled(kPublishing);
    CHECK_FALSE(house.condition(jail, "PublishMissing"));
    house.kernel.hand().set_firewall(false);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK(runs(house, jail));
    CHECK(house.condition(jail, "PublishMissing"));
    house.kernel.hand().set_firewall(true);
    value_of(house.reconciler->reconcile(jail.id));
    CHECK_FALSE(house.condition(jail, "PublishMissing"));
    CHECK(loaded(house, jail));
}

TEST_CASE("a jail without a policy has rules only where they keep it to its addresses", "[reconcile][policy]") {
    House house;
    const auto plain = house.settled(R"({"name": "plain"})");
    CHECK(loaded(house, plain));
    house.kernel.hand().set_pfil_member(false);
    pass(house, std::chrono::seconds{60});
    CHECK_FALSE(loaded(house, plain));
    house.kernel.hand().set_pfil_member(true);
    pass(house, std::chrono::seconds{60});
    CHECK(loaded(house, plain));
    CHECK(runs(house, plain));
}

TEST_CASE("rules that were seen lately are not looked at again for a jail that comes, changes or goes",
          "[reconcile][policy]") {
    House house;
    auto jail = house.settled(kConfined);
    value_of(house.reconciler->resync());
    int looks = 0;
    house.kernel.faults().trace(
        [&](std::size_t, std::string_view point) { looks += point == "firewall.list_jails" ? 1 : 0; });
    auto changed = house.change(jail, [](model::JailSpec& spec) { spec.firewall.egress = model::Policy{}; });
    value_of(house.reconciler->reconcile(changed.id));
    CHECK(house.kernel.state().jail_rules.at(jail.id).rules.egress);
    changed = house.stop(changed);
    value_of(house.reconciler->reconcile(changed.id));
    CHECK_FALSE(loaded(house, changed));
    CHECK(looks == 0);

    house.clock.passed += std::chrono::minutes{5};
    value_of(house.reconciler->reconcile(changed.id));
    CHECK(looks == 1);
    house.kernel.faults().trace(nullptr);
}
