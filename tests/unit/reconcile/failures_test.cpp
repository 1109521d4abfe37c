#include <cerrno>

#include "tests/unit/reconcile/house.h"
#include "tests/unit/reconcile/toy.h"

/// What fails, and what clients learn of it.

using namespace jaild;
using namespace jaild::reconcile_test;
using jaild::kernel::memory::Remains;
using jaild::model::JailState;
using jaild::test::error_of;
using jaild::test::value_of;

TEST_CASE("a name that a foreign jail has: nothing is made, and all of it is said", "[reconcile][failure]") {
    House house;
    REQUIRE(house.kernel.hand().take_name("web"));
    const auto web = house.create(R"({"name":"web"})");

    CHECK(error_of(house.reconciler->reconcile(web.id)).reason == "name_in_use");
    CHECK(house.status(web).state == JailState::failed);
    CHECK(house.condition(web, "NameTaken"));
    CHECK(house.condition(web, "Ready")->reason == "name_in_use");
    CHECK(house.operation(web) == "failed");
    CHECK(house.last_operation(web).problem->code == "name_in_use");
    CHECK(house.kernel.state().directories.empty());

    REQUIRE(house.kernel.hand().give_name_back("web"));
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::running);
    CHECK_FALSE(house.condition(web, "NameTaken"));
}

TEST_CASE("a failure that may pass is told once, and ends the operation with the fifth try", "[reconcile][failure]") {
    House house;
    const auto web = house.create(R"({"name":"web","exec":{"start":["false"]}})");
    for (int tries = 1; tries <= 7; ++tries) {
        INFO("try " << tries);
        CHECK(error_of(house.reconciler->reconcile(web.id)).reason == "start_failed");
        CHECK(house.operation(web) == (tries < 5 ? "running" : "failed"));
        CHECK(house.status(web).state == JailState::failed);
    }
    CHECK(house.events("step.failed").size() == 1);
    CHECK(house.events("jail.state") == Steps{R"({"state":"failed"})"});
    CHECK(house.events("operation.finished").size() == 1);
    CHECK(house.condition(web, "Ready")->message.starts_with("exec_start: "));
    CHECK(contains(house.last_operation(web).steps, "ensure_link vnet0"));

    SECTION("a new wish begins anew") {
        const auto mended = house.change(web, [](model::JailSpec& spec) { spec.exec.start = {"true"}; });
        value_of(house.reconciler->reconcile(web.id));
        CHECK(house.operation(mended) == "succeeded");
        CHECK(house.status(web).state == JailState::running);
        CHECK(house.events("jail.state").back() == R"({"state":"running"})");
    }
    SECTION("it can be removed") {
        house.remove(web);
        value_of(house.reconciler->reconcile(web.id));
        CHECK(house.kernel.state().directories.empty());
    }
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("a command that cannot be executed fails its operation, the jail stays to look into",
          "[reconcile][failure]") {
    House house;
    const auto web = house.create(R"({"name":"web","command":["missing"]})");
    const auto failure = error_of(house.reconciler->reconcile(web.id));
    CHECK(failure.reason == "command_failed");
    CHECK(failure.field == "/command/0");
    CHECK(house.operation(web) == "failed");
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::running);
    CHECK(house.condition(web, "CommandEnded")->reason == "FailedToStart");
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("a failing exec.stop makes no jail unstoppable", "[reconcile][failure]") {
    House house;
    const auto web = house.create(R"({"name":"web","exec":{"stop":["false"]}})");
    value_of(house.reconciler->reconcile(web.id));
    house.stop(web);
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::stopped);
    CHECK(house.operation(web) == "succeeded");
    CHECK(house.events("step.failed").size() == 1);
}

TEST_CASE("a repair that needs two tries is still told as a repair", "[reconcile][failure][drift]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    REQUIRE(house.kernel.hand().kill_jail(web.id, Remains::corpse));
    house.kernel.faults().clear();
    house.kernel.faults().fail(20, EBUSY);
    REQUIRE_FALSE(house.reconciler->reconcile(web.id));
    house.kernel.faults().clear();
    value_of(house.reconciler->reconcile(web.id));
    CHECK(house.events("drift.repaired").size() == 1);
}

TEST_CASE("a jail that recovered by itself is seen by the next resync", "[reconcile][failure]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    house.kernel.faults().clear();
    house.kernel.faults().fail(1, EIO);
    REQUIRE_FALSE(house.reconciler->reconcile(web.id));
    CHECK(house.status(web).state == JailState::failed);
    value_of(house.reconciler->resync());
    CHECK(house.status(web).state == JailState::running);
}

TEST_CASE("a dying jail is stopped as far as we can do it, its name waits", "[reconcile][dying]") {
    House house;
    house.kernel.set_nature({.linger = 1.0, .linger_rounds = 40});
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    house.remove(web);
    value_of(house.reconciler->reconcile(web.id));
    REQUIRE(house.kernel.state().prisons.size() == 1);
    CHECK(store_test::all_jails(*house.state.store).size() == 1);
    CHECK(house.kernel.state().directories.empty());
    CHECK(house.status(web).state == JailState::dying);
    CHECK(house.operation(web) == "running");

    for (int n = 0; n < 50 && !house.kernel.state().prisons.empty(); ++n) value_of(house.reconciler->resync());
    value_of(house.reconciler->resync());
    CHECK(store_test::all_jails(*house.state.store).empty());
    CHECK(house.operation(web) == "succeeded");
}

TEST_CASE("what has no row: the dead is cleared away, the living and data stay and are told of",
          "[reconcile][residue]") {
    House house;
    const auto web = house.create(R"({"name":"web"})");
    value_of(house.reconciler->reconcile(web.id));
    // As after an old database was put back.
    value_of(house.state.store->write([&](store::Writer& writer) { return writer.delete_jail(web.id); }));

    value_of(house.reconciler->resync());
    value_of(house.reconciler->resync());
    CHECK(house.kernel.state().prisons.size() == 1);
    CHECK(house.kernel.state().pairs.size() == 1);
    CHECK(house.events("residue.found").size() == 1);

    REQUIRE(house.kernel.hand().kill_jail(web.id, Remains::corpse));
    value_of(house.reconciler->resync());
    CHECK(house.kernel.state().prisons.empty());
    CHECK(house.kernel.state().pairs.empty());
    CHECK(house.kernel.state().mounts.empty());
    CHECK(house.kernel.state().directories.size() == 1);
    CHECK(house.events("residue.found").size() == 2);
}

TEST_CASE("no event, condition or operation tells a secret", "[reconcile][secrets]") {
    House house;
    const auto web =
        house.create(R"({"name":"web","exec":{"start":["false"],"env":{"TOKEN":{"value":"s3cret","secret":true}}}})");
    for (int tries = 0; tries < 5; ++tries) (void)house.reconciler->reconcile(web.id);
    const auto all = value_of(store::read<std::vector<model::Event>>(
        *house.state.store, [](store::Reader& reader) { return reader.events(EventSeq{}, 1'000); }));
    for (const auto& event : all) CHECK(event.data.find("s3cret") == std::string::npos);
    for (const auto& condition : house.status(web).conditions)
        CHECK(condition.message.find("s3cret") == std::string::npos);
    CHECK(house.last_operation(web).problem->detail.find("s3cret") == std::string::npos);
}

TEST_CASE("a restart is told once, whichever of its steps fails", "[reconcile][failure][restart]") {
    std::size_t failed = 0;
    for (std::size_t point = 1; point <= 60; ++point) {
        INFO("point " << point);
        House house;
        const auto web = house.settled(R"({"name":"web","command":["sleep","inf"],"restart":"always",
                                           "exec":{"start":["true"]}})");
        REQUIRE(house.kernel.hand().end_command(web.id, 3));
        house.kernel.faults().clear();
        house.kernel.faults().fail(point, EIO);
        if (!house.reconciler->reconcile(web.id)) ++failed;
        house.kernel.faults().clear();
        value_of(house.reconciler->reconcile(web.id));
        CHECK(house.status(web).state == JailState::running);
        CHECK(house.status(web).restarts == 1);
        CHECK(house.events("command.ended").size() == 1);
        CHECK(house.events("command.restarted").size() == 1);
    }
    CHECK(failed > 20);
}
