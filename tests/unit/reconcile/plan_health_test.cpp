#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;
using model::RestartPolicy;

namespace {

Desired with_probe(RestartPolicy policy = RestartPolicy::no, unsigned max_retries = 0) {
    auto desired = wanted_web();
    desired.jail.spec.command = {"httpd"};
    desired.jail.spec.restart = {.policy = policy, .max_retries = max_retries};
    desired.jail.spec.health = model::HealthSpec{.port = 80, .restart = true};
    desired.due = true;
    return desired;
}

void fall_ill(Toy& toy, std::int64_t at = 5'000) {
    toy.observed.unhealthy =
        model::LastExit{.reason = std::string(model::kUnhealthy), .at = {at}, .ran = Milliseconds{1'000}};
}

std::uint64_t remakes(const Desired& desired, const Toy& toy) {
    return restarts_of(desired.jail, toy.observed).count;
}

}  // namespace

TEST_CASE("an unhealthy jail is made anew when its wait is over, whatever its restart policy", "[plan][health]") {
    auto desired = with_probe();
    auto toy = Toy::running(desired);
    fall_ill(toy);
    desired.due = false;
    CHECK(plan(desired, toy.observed).empty());
    desired.due = true;
    CHECK(is_restart(desired, toy.observed));
    CHECK_FALSE(is_drift(desired, toy.observed));
    const auto steps = toy.converge(desired);
    CHECK(contains(steps, "stop_command"));
    CHECK(contains(steps, "remove_jail web"));
    CHECK_FALSE(contains(steps, "exec_stop"));
    CHECK(toy.command_runs == 2);
    CHECK(remakes(desired, toy) == 1);
    CHECK(plan(desired, toy.observed).empty());
}

TEST_CASE("a restart of an unhealthy jail that is broken off anywhere is finished, and counted once",
          "[plan][health]") {
    for (const auto policy : {RestartPolicy::no, RestartPolicy::on_failure, RestartPolicy::always}) {
        const auto desired = with_probe(policy);
        for (std::size_t broken_off = 1; broken_off < 25; ++broken_off) {
            auto toy = Toy::running(desired);
            fall_ill(toy);
            toy.do_once(desired, broken_off);
            // The next daemon has asked nobody yet.
            toy.observed.unhealthy.reset();
            toy.converge(desired);
            CAPTURE(policy, broken_off);
            CHECK(toy.command_runs == 2);
            CHECK(remakes(desired, toy) == 1);
        }
    }
}

TEST_CASE("an unhealthy jail whose retries are spent stays as it is", "[plan][health]") {
    const auto desired = with_probe(RestartPolicy::no, 2);
    auto toy = Toy::running(desired);
    for (int time = 1; time < 5; ++time) {
        fall_ill(toy, time * 1'000);
        toy.converge(desired);
        if (time < 3) CHECK_FALSE(toy.observed.unhealthy);
    }
    CHECK(toy.command_runs == 3);
    CHECK(remakes(desired, toy) == 2);
    CHECK(ended_command(desired.jail, toy.observed)->answer == Answer::give_up);
    SECTION("until somebody asks for a new try") {
        toy.converge(restarted(desired));
        CHECK(toy.command_runs == 4);
        CHECK(remakes(desired, toy) == 0);
    }
}

TEST_CASE("an unhealthy jail that nobody is to restart, or that is to stop, is not made anew", "[plan][health]") {
    auto desired = with_probe();
    auto toy = Toy::running(desired);
    fall_ill(toy);
    SECTION("its probe asks for no restart") {
        desired.jail.spec.health->restart = false;
        CHECK(plan(desired, toy.observed).empty());
    }
    SECTION("a stop wins") {
        toy.converge(stopped(desired));
        CHECK_FALSE(alive(toy.observed));
        CHECK(toy.command_runs == 1);
    }
    SECTION("the end of its command is the restart policy's") {
        toy.end_command(1);
        CHECK(plan(desired, toy.observed).empty());
        CHECK(toy.command_runs == 1);
    }
}
