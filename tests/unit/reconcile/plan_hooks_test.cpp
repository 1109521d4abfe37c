#include <algorithm>

#include "core/reconcile/doing.h"
#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

Desired hooked_web() {
    auto desired = wanted_web();
    desired.jail.spec.command = {"/bin/server"};
    for (const auto hook : model::kHooks) desired.jail.spec.exec.hooks[hook] = {"/bin/hook"};
    return desired;
}

/// Of the steps, those that are hooks, or what they stand around.
Steps around(const Steps& steps) {
    Steps found;
    for (const auto& step : steps)
        if (step.starts_with("exec_") || step.starts_with("create_jail") || step.starts_with("remove_jail") ||
            step.starts_with("record_") || step == "start_command" || step == "hold" || step == "release" ||
            step == "unmount root/usr")
            found.push_back(step);
    return found;
}

}  // namespace

TEST_CASE("hooks stand where jail(8) has them", "[plan][hooks]") {
    Toy toy;
    CHECK(around(toy.converge(hooked_web())) == Steps{"hold", "record_begun", "exec_prestart", "create_jail web",
                                                      "exec_created", "start_command", "exec_poststart",
                                                      "record_done"});
    CHECK(toy.observed.applied.hooks == kernel::HookLife::begun);
    CHECK(around(toy.converge(stopped(hooked_web()))) == Steps{"exec_prestop", "record_stopped", "remove_jail web",
                                                               "exec_poststop", "record_poststop", "release",
                                                               "unmount root/usr"});
    CHECK(toy.observed.applied.hooks == kernel::HookLife::none);
    CHECK(plan(stopped(hooked_web()), toy.observed).empty());
}

TEST_CASE("a start that is broken off goes on, and no hook of it runs twice", "[plan][hooks]") {
    const auto desired = hooked_web();
    const auto whole = [&] {
        Toy toy;
        return toy.converge(desired).size();
    }();
    for (std::size_t count = 0; count <= whole; ++count) {
        INFO(count);
        Toy toy;
        auto steps = toy.do_once(desired, count);
        // While its shim lives nothing is forgotten; prestart in the hands of none is another's.
        const auto more = toy.converge(desired);
        steps.insert(steps.end(), more.begin(), more.end());
        for (const auto* hook : {"exec_prestart", "exec_created", "exec_poststart"})
            CHECK(std::ranges::count(steps, hook) == 1);
        CHECK_FALSE(contains(steps, "exec_poststop"));
    }
}

TEST_CASE("poststop is due once a start began, whatever comes then", "[plan][hooks]") {
    const auto desired = hooked_web();
    auto toy = Toy::running(desired);
    SECTION("its host goes down") {
        toy.reboot();
        const auto steps = around(toy.converge(desired));
        CHECK(Steps(steps.begin(), steps.begin() + 5) ==
              Steps{"record_begun", "hold", "exec_poststop", "record_poststop", "release"});
        CHECK(steps[7] == "exec_prestart");
    }
    SECTION("somebody removes it") {
        toy.lose_jail();
        const auto steps = around(toy.converge(desired));
        CHECK(std::ranges::find(steps, "exec_poststop") < std::ranges::find(steps, "exec_prestart"));
    }
    SECTION("it is to be stopped while it is down") {
        toy.reboot();
        CHECK(contains(toy.converge(stopped(desired)), "exec_poststop"));
    }
    SECTION("it is removed") {
        const auto steps = toy.converge(removed(desired));
        CHECK(std::ranges::find(steps, "exec_poststop") < std::ranges::find(steps, "remove_root"));
    }
    SECTION("its hint is lost while it runs") {
        toy.observed.applied = {};
        CHECK(contains(toy.converge(stopped(desired)), "exec_poststop"));
    }
    SECTION("a stop is broken off anywhere") {
        for (std::size_t count = 0; count < 8; ++count) {
            INFO(count);
            auto one = Toy::running(desired);
            auto steps = one.do_once(stopped(desired), count);
            const auto more = one.converge(stopped(desired));
            steps.insert(steps.end(), more.begin(), more.end());
            CHECK(contains(steps, "exec_poststop"));
            CHECK(one.hooks.empty());
        }
    }
}

TEST_CASE("prestop and poststop are live, the others wait for a restart", "[plan][hooks]") {
    auto toy = Toy::running(wanted_web());
    const auto later = changed(wanted_web(), [](model::JailSpec& spec) {
        for (const auto hook : model::kHooks) spec.exec.hooks[hook] = {"/bin/hook"};
    });
    toy.converge(later);
    CHECK(effective(later.jail, toy.observed).waiting ==
          std::vector<std::string>{"/exec/created", "/exec/poststart", "/exec/prestart"});
    const auto steps = toy.converge(restarted(later));
    for (const auto hook : model::kHooks) CHECK(contains(steps, std::string(to_string(step_of(hook)))));
}

TEST_CASE("a step that takes long is told with what it is, since when and for how long", "[plan][hooks]") {
    using std::chrono::seconds;
    const Clock::Monotonic begun{seconds(100)};
    const Doing hook{.step = "exec_prestart", .since = begun, .at = {.milliseconds = 5}, .allowed = seconds(60)};
    const Doing call{.step = "unmount root/srv", .since = begun, .at = {.milliseconds = 5}};
    const auto at = [&](const Doing& doing, int after) {
        return long_step(doing, begun + seconds(after), seconds(120));
    };
    CHECK_FALSE(at(hook, 9));
    REQUIRE(at(hook, 12));
    CHECK(at(hook, 12)->type == "StepTakesLong");
    CHECK(at(hook, 12)->reason == "StillRunning");
    CHECK(at(hook, 12)->since == UtcTime{5});
    CHECK(at(hook, 12)->message == "exec_prestart has taken 12 s so far, of 60 s that it may take");
    CHECK(at(hook, 179)->reason == "StillRunning");
    CHECK(at(hook, 180)->reason == "Hangs");
    CHECK(at(call, 119)->message == "unmount root/srv has taken 119 s so far");
    CHECK(at(call, 120)->reason == "Hangs");
    CHECK_THAT(at(call, 121)->message, Catch::Contains("no other jail waits for it"));
}
