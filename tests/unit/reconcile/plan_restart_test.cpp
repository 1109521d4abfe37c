#include <algorithm>

#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using model::RestartPolicy;

namespace {

Desired with_policy(RestartPolicy policy, unsigned max_retries = 0) {
    auto desired = wanted_web();
    desired.jail.spec.command = {"httpd"};
    desired.jail.spec.exec.start = {"prepare"};
    desired.jail.spec.exec.stop = {"put", "away"};
    desired.jail.spec.restart = {.policy = policy, .max_retries = max_retries};
    return desired;
}

Desired due(Desired desired) {
    desired.due = true;
    return desired;
}

std::uint64_t restarts(const Desired& desired, const Toy& toy) {
    return restarts_of(desired.jail, toy.observed).count;
}

}  // namespace

TEST_CASE("a command that ended is run again in a jail that is made anew, when its wait is over", "[plan][restart]") {
    const auto desired = with_policy(RestartPolicy::on_failure);
    auto toy = Toy::running(desired);
    toy.end_command(1);
    CHECK(plan(desired, toy.observed).empty());
    CHECK(is_restart(due(desired), toy.observed));
    CHECK_FALSE(is_drift(due(desired), toy.observed));

    const auto steps = toy.converge(due(desired));
    CHECK(contains(steps, "remove_jail web"));
    CHECK_FALSE(contains(steps, "exec_stop"));
    CHECK(toy.command_runs == 2);
    CHECK(toy.start_runs == 2);
    CHECK(restarts(desired, toy) == 1);
    CHECK(plan(due(desired), toy.observed).empty());
}

TEST_CASE("a restart that is broken off anywhere is finished, and counted once", "[plan][restart]") {
    const auto desired = due(with_policy(RestartPolicy::always));
    for (std::size_t broken_off = 1; broken_off < 25; ++broken_off) {
        auto toy = Toy::running(desired);
        toy.end_command(0);
        toy.do_once(desired, broken_off);
        toy.converge(desired);
        CAPTURE(broken_off);
        CHECK(toy.command_runs == 2);
        CHECK(restarts(desired, toy) == 1);
    }
}

TEST_CASE("a restart that is broken off, and whose jail got other addresses meanwhile, is counted once",
          "[plan][restart]") {
    const auto desired = due(with_policy(RestartPolicy::always));
    auto moved = desired;
    moved.jail.interfaces.front().addresses = {*Prefix::parse("198.51.100.77/24")};
    for (std::size_t broken_off = 1; broken_off < 25; ++broken_off) {
        auto toy = Toy::running(desired);
        toy.end_command(0);
        toy.do_once(desired, broken_off);
        if (toy.observed.applied.complete) continue;
        toy.converge(moved);
        CAPTURE(broken_off);
        CHECK(restarts(moved, toy) == 1);
    }
}

TEST_CASE("what its policy leaves stays ended, also when the jail is made again for another reason",
          "[plan][restart]") {
    const auto desired = due(with_policy(RestartPolicy::on_failure));
    auto toy = Toy::running(desired);
    toy.end_command(0);
    CHECK(plan(desired, toy.observed).empty());
    toy.lose_jail();
    toy.converge(desired);
    CHECK(alive(toy.observed));
    CHECK(toy.command_runs == 1);
    CHECK(restarts(desired, toy) == 0);
    SECTION("until somebody asks for a start") {
        toy.converge(restarted(desired));
        CHECK(toy.command_runs == 2);
    }
}

TEST_CASE("a command that somebody else ended is run again too", "[plan][restart]") {
    const auto desired = due(with_policy(RestartPolicy::always));
    auto toy = Toy::running(desired);
    SECTION("with its jail") {
        toy.kill_jail();
    }
    SECTION("with all of its jail") {
        toy.lose_jail();
    }
    SECTION("with its shim") {
        toy.kill_shim();
    }
    SECTION("with its host") {
        toy.reboot();
    }
    toy.converge(desired);
    CHECK(alive(toy.observed));
    CHECK(toy.command_runs == 2);
}

TEST_CASE("a jail that went with its command waits for its turn like one that stayed", "[plan][restart]") {
    const auto desired = with_policy(RestartPolicy::always);
    auto toy = Toy::running(desired);
    toy.lose_jail();
    CHECK(plan(desired, toy.observed).empty());
    toy.converge(due(desired));
    CHECK(toy.command_runs == 2);
}

TEST_CASE("retries that are spent are spent until somebody takes a hand in it", "[plan][restart]") {
    const auto desired = due(with_policy(RestartPolicy::always, 2));
    auto toy = Toy::running(desired);
    for (int end = 0; end < 3; ++end) {
        toy.end_command(1);
        toy.converge(desired);
    }
    CHECK(toy.command_runs == 3);
    CHECK(restarts(desired, toy) == 2);
    CHECK(ended_command(desired.jail, toy.observed)->answer == Answer::give_up);

    SECTION("a restart is a new beginning") {
        toy.converge(restarted(desired));
        CHECK(toy.command_runs == 4);
        CHECK(restarts(restarted(desired), toy) == 0);
    }
    SECTION("so is a host that comes up again") {
        toy.reboot();
        toy.converge(desired);
        CHECK(toy.command_runs == 4);
    }
    SECTION("a larger budget is in force at once") {
        auto larger = desired;
        larger.jail.spec.restart.max_retries = 3;
        toy.converge(larger);
        CHECK(toy.command_runs == 4);
    }
    SECTION("a stop is a stop") {
        toy.converge(stopped(desired));
        CHECK_FALSE(toy.observed.jail);
        CHECK(toy.command_runs == 3);
    }
}

TEST_CASE("a jail that is to stop is not restarted first", "[plan][restart]") {
    const auto desired = due(with_policy(RestartPolicy::always));
    auto toy = Toy::running(desired);
    toy.end_command(1);
    const auto steps = toy.converge(stopped(desired));
    CHECK_FALSE(contains(steps, "start_command"));
    CHECK(toy.command_runs == 1);
}

TEST_CASE("a system jail of which no process is left is made anew as its policy says", "[plan][restart]") {
    const auto system = [](RestartPolicy policy, unsigned max_retries = 0) {
        auto desired = with_policy(policy, max_retries);
        desired.jail.spec.command.clear();
        return desired;
    };
    const auto emptied = [](Toy& toy) {
        toy.end_command(0);
        toy.observed.shim->last_exit->reason = "emptied";
    };
    for (const auto policy : {RestartPolicy::on_failure, RestartPolicy::always}) {
        const auto desired = system(policy, 1);
        auto toy = Toy::running(desired);
        CHECK(toy.observed.shim->command == kernel::CommandState::running);
        emptied(toy);
        CHECK(is_restart(due(desired), toy.observed));
        CHECK(contains(toy.converge(due(desired)), "watch_processes"));
        CHECK(toy.start_runs == 2);
        CHECK(restarts(desired, toy) == 1);

        // Its only retry is spent: it stays as it is, until somebody takes it away or asks for a restart.
        emptied(toy);
        CHECK(plan(due(desired), toy.observed).empty());
        toy.lose_jail();
        toy.converge(due(desired));
        CHECK(toy.start_runs == 3);
    }

    const auto left_alone = system(RestartPolicy::no);
    auto toy = Toy::running(left_alone);
    emptied(toy);
    CHECK(plan(due(left_alone), toy.observed).empty());
    toy.reboot();
    toy.converge(left_alone);
    CHECK(toy.start_runs == 2);
    CHECK(toy.observed.shim->command == kernel::CommandState::running);
}

TEST_CASE("what lives in a system jail is asked to end before the jail goes", "[plan][restart]") {
    auto desired = with_policy(RestartPolicy::no);
    desired.jail.spec.command.clear();
    auto toy = Toy::running(desired);
    const auto steps = toy.converge(stopped(desired));
    const auto at = [&](const std::string& step) { return std::ranges::find(steps, step) - steps.begin(); };
    CHECK(at("exec_stop") < at("stop_command"));
    CHECK(at("stop_command") < at("remove_jail web"));
    CHECK(at("remove_jail web") < std::ssize(steps));
}
