#include "core/reconcile/reconciler.h"

#include <cerrno>

#include "tests/unit/reconcile/house.h"
#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Crash;
using jaild::kernel::memory::Remains;
using jaild::kernel::memory::When;
using jaild::model::JailState;
using jaild::test::error_of;
using jaild::test::value_of;

TEST_CASE("a jail that is asked for runs, and its operation has succeeded", "[reconcile]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","inf"]})");
    CHECK(house.status(web).state == JailState::starting);

    value_of(house.reconciler->reconcile(web.id));
    const auto status = house.status(web);
    CHECK(status.state == JailState::running);
    CHECK(status.command_pid != 0);
    CHECK(status.addresses == web.addresses());
    CHECK(status.observed_generation == web.generation);
    CHECK(house.condition(web, "Ready")->status);
    CHECK(house.operation(web) == "succeeded");
    CHECK(contains(house.last_operation(web).steps, "create_jail web"));
    CHECK(house.events("jail.state") == Steps{R"({"state":"running"})"});
    CHECK(house.events("operation.finished").size() == 1);
    CHECK(house.events("drift.repaired").empty());
    CHECK(house.kernel.violations().empty());
    CHECK(value_of(house.reconciler->plan_now(web)).empty());
}

TEST_CASE("a removed jail leaves nothing, neither in the store nor in the kernel", "[reconcile]") {
    House house;
    const auto clean = house.kernel.describe();
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    const auto stop = house.stop(web);
    const auto gone = house.remove(web);
    value_of(house.reconciler->reconcile(web.id));

    CHECK(store_test::all_jails(*house.state.store).empty());
    CHECK(house.operation(gone) == "succeeded");
    CHECK(house.events("jail.removed").size() == 1);
    CHECK(house.kernel.state().bridges.empty());
    CHECK(house.kernel.state().rules.empty());
    CHECK(house.kernel.state().directories.empty());
    CHECK(house.kernel.state().mounts.empty());
    CHECK(house.kernel.state().prisons.empty());
    CHECK(house.kernel.violations().empty());
    CHECK(house.reconciler->status(web.id) == model::JailStatus{});
}

TEST_CASE("a removal cancels what else was under way", "[reconcile]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    const auto create = house.last_operation(web);
    house.remove(web);
    value_of(house.reconciler->reconcile(web.id));
    const auto ended = value_of(store::read<model::Operation>(
        *house.state.store, [&](store::Reader& reader) { return reader.operation(create.id); }));
    CHECK(ended.state == model::OperationState::cancelled);
}

TEST_CASE("a stopped jail keeps its root and its row, and its network goes with the last user", "[reconcile]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    const auto db = house.create(R"({"name":"db"})");
    value_of(house.reconciler->reconcile(web.id));
    value_of(house.reconciler->reconcile(db.id));

    house.stop(web);
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::stopped);
    CHECK(house.kernel.state().bridges.size() == 1);
    house.stop(db);
    value_of(house.reconciler->reconcile(db.id));
    CHECK(house.kernel.state().bridges.empty());
    CHECK(house.kernel.state().directories.size() == 2);
}

TEST_CASE("a resync repairs what was disturbed and says what", "[reconcile][drift]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","inf"]})");
    value_of(house.reconciler->reconcile(web.id));
    const auto whole = house.kernel.describe();
    auto& hand = house.kernel.hand();
    std::string expected;

    SECTION("the link") {
        REQUIRE(hand.delete_link(web.id));
        expected = R"({"jail":"web","steps":["ensure_link vnet0"]})";
    }
    SECTION("an address") {
        REQUIRE(hand.delete_address(web.id));
        expected = R"({"jail":"web","steps":["ensure_link vnet0"]})";
    }
    SECTION("a mount") {
        const auto target = house.kernel.state().mounts.back().mount.target;
        REQUIRE(hand.unmount(web.id, target));
        expected = R"({"jail":"web","steps":["mount )" + target + R"("]})";
    }
    SECTION("the packet filter") {
        REQUIRE(hand.flush_rules(NetworkId{1}));
        expected = R"({"network":"default","steps":["apply_rules default"]})";
    }
    SECTION("a part of it") {
        REQUIRE(hand.spoil_rules(NetworkId{1}));
        expected = R"({"network":"default","steps":["apply_rules default"]})";
    }
    SECTION("the same, noticed by a daemon that was just started") {
        REQUIRE(hand.flush_rules(NetworkId{1}));
        house.start_anew();
        expected = R"({"network":"default","steps":["apply_rules default"]})";
    }
    value_of(house.reconciler->resync());
    CHECK(house.events("drift.repaired") == Steps{expected});
    CHECK(house.kernel.describe() == whole);
    CHECK(house.status(web).state == JailState::running);

    value_of(house.reconciler->resync());
    CHECK(house.events("drift.repaired").size() == 1);
}

TEST_CASE("a killed jail comes back under its name, and its command stays ended", "[reconcile][drift]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","inf"]})");
    value_of(house.reconciler->reconcile(web.id));
    REQUIRE(house.kernel.hand().kill_jail(web.id, GENERATE(Remains::nothing, Remains::corpse)));

    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.condition(web, "CommandEnded"));
    CHECK(house.status(web).command_pid == 0);
    CHECK(house.events("drift.repaired").size() == 1);
    CHECK(house.events("command.ended").size() == 1);
    CHECK(house.kernel.violations().empty());

    house.restart(web);
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).command_pid != 0);
    CHECK_FALSE(house.condition(web, "CommandEnded"));
}

TEST_CASE("a command that ends is told of once, its jail stays", "[reconcile][command]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","inf"]})");
    value_of(house.reconciler->reconcile(web.id));
    REQUIRE(house.kernel.hand().end_command(web.id, 3));

    value_of(house.reconciler->resync());
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.status(web).last_exit->exit_code == 3);
    CHECK(house.condition(web, "CommandEnded")->reason == "Exited");
    CHECK(house.events("command.ended").size() == 1);
    CHECK(house.events("drift.repaired").empty());
}

TEST_CASE("a command that ends at once is told of too", "[reconcile][command]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["exit","7"]})");
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.events("command.ended").size() == 1);
    CHECK(house.operation(web) == "succeeded");
}

TEST_CASE("a change of a restart field waits, visibly", "[reconcile][change]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","1"]})");
    value_of(house.reconciler->reconcile(web.id));
    const auto pending = house.change(web, [](model::JailSpec& spec) { spec.command = {"sleep", "2"}; });
    value_of(house.reconciler->reconcile(web.id));

    CHECK(house.operation(web) == "succeeded");
    CHECK(house.condition(web, "RestartRequired")->message == "restart the jail to apply /command");
    CHECK(house.status(web).observed_generation == pending.generation);
    CHECK(house.status(web).command_pid != 0);
    house.restart(web);
    value_of(house.reconciler->reconcile(web.id));
    CHECK_FALSE(house.condition(web, "RestartRequired"));
    CHECK(house.operation(web) == "succeeded");
}

TEST_CASE("an address is not used twice while its old owner runs on with it", "[reconcile][change]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    house.change(web, [](model::JailSpec& spec) {
        spec.network.interfaces[0].addresses = {value_of(Prefix::parse("10.213.0.50/24"))};
    });
    value_of(house.reconciler->reconcile(web.id));
    const auto old = value_of(Prefix::parse("10.213.0.2/24"));
    const auto db = house.create(R"({"name":"db","network":{"interfaces":[{"addresses":["10.213.0.2/24"]}]}})");
    REQUIRE(db.addresses().front() == old);

    CHECK(error_of(house.reconciler->reconcile(db.id)).reason == "address_in_use");
    CHECK(house.condition(db, "Ready")->message.find("restart or stop jail web") != std::string::npos);

    // Nor while nobody can look at what he has.
    house.start_anew();
    house.kernel.faults().always("jails.applied", EIO);
    CHECK_FALSE(house.reconciler->reconcile(web.id));
    house.kernel.faults().clear();
    CHECK(error_of(house.reconciler->reconcile(db.id)).reason == "address_in_use");
    house.restart(web);
    value_of(house.reconciler->reconcile(web.id));
    value_of(house.reconciler->reconcile(db.id));
    CHECK(house.status(db).state == JailState::running);
}

TEST_CASE("without a packet filter a jail runs and says what it lacks", "[reconcile][degraded]") {
    House house({.firewall = false});
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.condition(web, "NatMissing"));
    CHECK(house.operation(web) == "succeeded");
}

TEST_CASE("a daemon that died in the middle finds its work again", "[reconcile][crash]") {
    const auto point = GENERATE(range(std::size_t{1}, std::size_t{70}, std::size_t{3}));
    const auto when = GENERATE(When::before, When::after);
    INFO("crash at point " << point);
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","inf"]})");
    house.kernel.faults().crash(point, when);
    try {
        (void)house.reconciler->reconcile(web.id);
    } catch (const Crash&) {
    }
    house.kernel.faults().clear();
    house.start_anew();
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.operation(web) == "succeeded");
    CHECK(house.kernel.violations().empty());
    CHECK(house.reconciler->readiness().ready);
}

TEST_CASE("a running jail is adopted without a word", "[reconcile][crash]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["sleep","inf"]})");
    value_of(house.reconciler->reconcile(web.id));
    const auto events =
        value_of(store::read<EventSeq>(*house.state.store, [](store::Reader& reader) { return reader.last_event(); }));
    const auto pid = house.status(web).command_pid;

    house.start_anew();
    CHECK(house.status(web).state == JailState::starting);
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.status(web).command_pid == pid);
    CHECK(value_of(store::read<EventSeq>(*house.state.store,
                                         [](store::Reader& reader) { return reader.last_event(); })) == events);
}
