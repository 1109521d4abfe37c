#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

model::Limits memory_limit(std::int64_t amount) {
    return {{"memoryuse", {.amount = amount, .action = "deny"}}};
}

Desired limited(std::int64_t amount = 4096) {
    auto desired = wanted_web();
    desired.jail.spec.limits = memory_limit(amount);
    return desired;
}

/// Nothing is there, and the kernel enforces limits.
Toy fresh() {
    Toy toy;
    toy.observed.limits = kernel::ObservedLimits{};
    return toy;
}

Toy running(const Desired& desired) {
    auto toy = fresh();
    toy.converge(desired);
    return toy;
}

}  // namespace

TEST_CASE("limits come first of all, before anything is made", "[plan][limits]") {
    auto toy = fresh();
    const auto steps = toy.converge(limited());
    CHECK(steps.front() == "ensure_limits web");
    CHECK(toy.observed.limits->rules == model::rules_of(memory_limit(4096)));
}

TEST_CASE("a jail without limits has no step for them", "[plan][limits]") {
    auto toy = fresh();
    const auto steps = toy.converge(wanted_web());
    CHECK_FALSE(contains(steps, "ensure_limits web"));
    CHECK_FALSE(contains(steps, "remove_limits web"));
}

TEST_CASE("what an earlier jail of its name left is taken away before a jail is made", "[plan][limits]") {
    auto toy = fresh();
    toy.observed.limits->rules = model::rules_of(memory_limit(1));
    CHECK(toy.converge(wanted_web()).front() == "remove_limits web");
}

TEST_CASE("limits go once their jail is gone, also when it is removed", "[plan][limits]") {
    const auto desired = limited();
    auto toy = running(desired);
    CHECK(toy.do_once(stopped(desired)) == Steps{"record_stopped", "destroy_link vnet0", "remove_jail web",
                                                 "remove_limits web", "release", "unmount root/dev",
                                                 "unmount root/usr"});
    CHECK(plan(stopped(desired), toy.observed).empty());

    toy = running(desired);
    const auto steps = toy.converge(removed(desired));
    CHECK(contains(steps, "remove_limits web"));
    CHECK(steps.back() == "forget web");
}

TEST_CASE("a rule that somebody deleted, added or changed is drift, and mended on the running jail", "[plan][limits]") {
    const auto desired = limited();
    auto toy = running(desired);
    SECTION("deleted") {
        toy.observed.limits->rules.clear();
    }
    SECTION("changed") {
        toy.observed.limits->rules[0].limit.amount = 7;
    }
    SECTION("added") {
        toy.observed.limits->rules.push_back({.resource = "maxproc", .limit = {.amount = 1, .action = "log"}});
    }
    CHECK(is_drift(desired, toy.observed));
    CHECK(toy.converge(desired) == Steps{"ensure_limits web"});
}

TEST_CASE("limits are changed on the running jail", "[plan][limits]") {
    const auto desired = limited();
    auto toy = running(desired);
    const auto more = changed(desired, [](model::JailSpec& spec) { spec.limits = memory_limit(8192); });
    CHECK(toy.converge(more) == Steps{"ensure_limits web", "record_done"});
    const auto none = changed(more, [](model::JailSpec& spec) { spec.limits.clear(); });
    CHECK(toy.converge(none) == Steps{"remove_limits web", "record_done"});
}

TEST_CASE("limits that nobody looked at are no drift", "[plan][limits]") {
    const auto desired = limited();
    auto toy = running(desired);
    toy.observed.limits.reset();
    CHECK(plan(desired, toy.observed).empty());
}

TEST_CASE("a jail whose limits cannot be enforced is taken down, and tried again from its limits on",
          "[plan][limits]") {
    const auto desired = limited();
    auto toy = running(desired);
    toy.observed.limits = kernel::ObservedLimits{.id = {}, .supported = false, .rules = {}};
    const auto down = toy.do_once(desired);
    CHECK(contains(down, "remove_jail web"));
    CHECK_FALSE(contains(down, "create_jail web"));
    const auto next = texts(plan(desired, toy.observed));
    REQUIRE_FALSE(next.empty());
    CHECK(next.front() == "ensure_limits web");
}

TEST_CASE("a jail without limits runs on a kernel that enforces none", "[plan][limits]") {
    auto toy = running(wanted_web());
    toy.observed.limits->supported = false;
    CHECK(plan(wanted_web(), toy.observed).empty());
}

TEST_CASE("a jail is taken down where nothing can keep it to its processors", "[plan][limits][cpuset]") {
    auto toy = running(wanted_web());
    auto desired = wanted_web();
    desired.jail.spec.cpuset = "0";
    CHECK(texts(plan(desired, toy.observed)) == Steps{"ensure_limits web"});
    toy.observed.limits->cpus_supported = false;
    CHECK(contains(texts(plan(desired, toy.observed)), "remove_jail web"));
    CHECK(plan(wanted_web(), toy.observed).empty());
}

TEST_CASE("a jail keeps its processors where no limits are enforced", "[plan][limits][cpuset]") {
    auto desired = wanted_web();
    auto toy = running(desired);
    desired.jail.spec.cpuset = "0";
    toy.observed.limits->supported = false;
    toy.observed.limits->cpus = "0";
    CHECK(plan(desired, toy.observed).empty());
}
