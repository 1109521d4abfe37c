#include "core/model/datasets.h"
#include "tests/unit/reconcile/house.h"
#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

Desired with_datasets(Desired desired, std::vector<std::string> datasets) {
    desired.jail.spec.datasets = std::move(datasets);
    return desired;
}

Desired later_with(const Desired& desired, std::vector<std::string> datasets) {
    return changed(desired, [&](model::JailSpec& spec) { spec.datasets = std::move(datasets); });
}

using Set = std::set<std::string>;

}  // namespace

TEST_CASE("a jail is given its datasets before anything runs in it", "[plan][datasets]") {
    Toy toy;
    const auto steps = toy.converge(with_datasets(wanted_web(), {"tank/a", "tank/b"}));
    const auto at = [&](const char* step) { return std::ranges::find(steps, step) - steps.begin(); };
    CHECK(at("create_jail web") < at("attach_dataset tank/a"));
    CHECK(at("attach_dataset tank/a") < at("attach_dataset tank/b"));
    CHECK(at("attach_dataset tank/b") < at("exec_start"));
    CHECK(toy.datasets == Set{"tank/a", "tank/b"});
}

TEST_CASE("a start that was cut short anywhere gives a jail its datasets all the same", "[plan][datasets]") {
    const auto desired = with_datasets(wanted_web(), {"tank/a", "tank/b"});
    for (std::size_t done = 0; done < 20; ++done) {
        INFO(done << " steps were done");
        Toy toy;
        toy.do_once(desired, done);
        toy.converge(desired);
        CHECK(toy.datasets == Set{"tank/a", "tank/b"});
    }
}

TEST_CASE("datasets go with a stop, after exec.stop, and wait for a restart otherwise", "[plan][datasets]") {
    auto before = with_datasets(wanted_web(), {"tank/a"});
    before.jail.spec.exec.stop = {"/etc/rc.shutdown"};
    auto toy = Toy::running(before);
    const auto other = later_with(before, {"tank/b"});
    toy.converge(other);
    CHECK(toy.datasets == Set{"tank/a"});
    CHECK(effective(other.jail, toy.observed).waiting == std::vector<std::string>{"/datasets"});

    const auto steps = toy.converge(restarted(other));
    const auto at = [&](const char* step) { return std::ranges::find(steps, step) - steps.begin(); };
    CHECK(at("exec_stop") < at("detach_dataset tank/a"));
    CHECK(at("detach_dataset tank/a") < at("record_stopped"));
    CHECK(at("record_stopped") < at("attach_dataset tank/b"));
    CHECK(toy.datasets == Set{"tank/b"});

    toy.converge(stopped(restarted(other)));
    CHECK(toy.datasets.empty());
}

TEST_CASE("a jail waits for its dataset until the one that had it is restarted", "[reconcile][datasets]") {
    House house;
    const auto web = house.settled(R"({"name": "web", "datasets": ["tank/a"]})");
    house.change(web, [](model::JailSpec& spec) { spec.datasets.clear(); });
    CHECK(house.reconciler->reconcile(web.id).has_value());
    const auto db = house.create(R"({"name": "db", "datasets": ["tank/a/deep"]})");
    const bool anew = GENERATE(false, true);
    if (anew) house.start_anew();
    const auto refused = house.reconciler->reconcile(db.id);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().name() == "dataset_in_use");
    CHECK(refused.error().remedy == "restart or stop jail web");
    const auto waits = house.condition(db, "Ready");
    REQUIRE(waits);
    CHECK(waits->message.find("jail web still runs with a dataset") != std::string::npos);

    house.restart(web);
    CHECK(house.reconciler->reconcile(web.id).has_value());
    CHECK(house.reconciler->reconcile(db.id).has_value());
    for (const auto& prison : house.kernel.state().prisons)
        CHECK(prison.datasets == (prison.id == db.id ? Set{"tank/a/deep"} : Set{}));
    CHECK(house.kernel.state().jailed_datasets == Set{"tank/a", "tank/a/deep"});
    CHECK(house.kernel.violations().empty());
}

TEST_CASE("a jail has the parameters that its datasets need, and they come back", "[reconcile][datasets]") {
    House house;
    const auto web = house.settled(R"({"name": "web", "datasets": ["tank/a"]})");
    const auto shown = [&](const char* name) {
        return house.kernel.jails().parameters(web.id, {name}).value().at(name);
    };
    CHECK(shown("allow.mount.zfs") == model::ParameterValue(true));
    CHECK(shown("enforce_statfs") == model::ParameterValue(std::int64_t{1}));
    house.kernel.hand().set_parameter(web.id, {"allow.mount.zfs", false});
    CHECK(house.reconciler->reconcile(web.id).has_value());
    CHECK(shown("allow.mount.zfs") == model::ParameterValue(true));
    const auto mounts = house.kernel.state().mounts;
    CHECK(std::ranges::any_of(mounts, [](const auto& one) {
        return one.mount.kind == kernel::MountKind::devfs && one.mount.devices == std::vector<std::string>{"zfs"};
    }));
}
