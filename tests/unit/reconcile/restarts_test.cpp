#include "core/reconcile/restarts.h"

#include <nlohmann/json.hpp>
#include <set>

#include "tests/catch.h"

using namespace jaild;
using namespace jaild::reconcile;
using model::LastExit;
using model::RestartPolicy;
using model::RestartSpec;

namespace {

constexpr JailId kJail{7};

LastExit exit_at(std::int64_t second, int code = 1, Milliseconds ran = Milliseconds{100}) {
    return {.exit_code = code, .signal = 0, .reason = "exited", .at = {second * 1000}, .ran = ran};
}

}  // namespace

TEST_CASE("a policy answers to each end of a command", "[restarts]") {
    const auto answer = [](RestartPolicy policy, int code) {
        return answer_to({.policy = policy}, {}, exit_at(1, code));
    };
    CHECK(answer(RestartPolicy::no, 1) == Answer::leave);
    CHECK(answer(RestartPolicy::on_failure, 0) == Answer::leave);
    CHECK(answer(RestartPolicy::on_failure, 1) == Answer::restart);
    CHECK(answer(RestartPolicy::on_failure, 137) == Answer::restart);
    CHECK(answer(RestartPolicy::always, 0) == Answer::restart);
}

TEST_CASE("the first restart in a row comes at once, each further one later, up to a bound", "[restarts]") {
    const RestartSpec spec{.policy = RestartPolicy::always,
                           .delay = Milliseconds{1'000},
                           .max_delay = Milliseconds{10'000},
                           .reset_after = Milliseconds{60'000}};
    Restarts so_far;
    std::int64_t expected = 0;
    for (int restart = 0; restart < 8; ++restart) {
        const auto exit = exit_at(restart);
        const auto wait = wait_before(spec, so_far, exit, kJail).count();
        CHECK(wait >= expected);
        CHECK(wait <= expected + expected / 4);
        CHECK(wait == wait_before(spec, so_far, exit, kJail).count());
        so_far = counted(spec, so_far, exit);
        expected = expected == 0 ? 1'000 : std::min<std::int64_t>(2 * expected, 10'000);
    }
    CHECK(so_far.count == 8);
    CHECK(so_far.row == 8);
    CHECK(so_far.exits.size() == Restarts::kKeptExits);

    SECTION("a command that ran long enough begins a new row") {
        const auto healthy = exit_at(100, 1, spec.reset_after);
        CHECK(wait_before(spec, so_far, healthy, kJail) == Milliseconds{0});
        so_far = counted(spec, so_far, healthy);
        CHECK(so_far.row == 1);
        CHECK(so_far.count == 9);
    }
    SECTION("jails that end together do not come back together") {
        std::set<std::int64_t> waits;
        for (std::int64_t id = 1; id <= 20; ++id)
            waits.insert(wait_before(spec, so_far, exit_at(9), JailId{id}).count());
        CHECK(waits.size() > 10);
    }
}

TEST_CASE("a budget is kept within its window", "[restarts]") {
    const auto after = [](std::int64_t seconds) { return exit_at(100, 1, Milliseconds{seconds * 1000}); };
    const RestartSpec spec{.policy = RestartPolicy::always,
                           .delay = Milliseconds{2'000},
                           .max_retries = 2,
                           .window = std::chrono::seconds{10}};
    auto so_far = counted(spec, {}, after(50));
    CHECK(answer_to(spec, so_far, after(1)) == Answer::restart);
    so_far = counted(spec, so_far, after(1));  // the first is 1 s ago: it did not wait
    CHECK(answer_to(spec, so_far, after(1)) == Answer::give_up);
    CHECK(answer_to(spec, so_far, after(6)) == Answer::give_up);
    // It waited 2 s since, and so the first is 10 s ago.
    CHECK(answer_to(spec, so_far, after(7)) == Answer::restart);

    SECTION("the date of the host says nothing") {
        CHECK(answer_to(spec, so_far, exit_at(86'400 * 365)) == Answer::give_up);
        CHECK(answer_to(spec, so_far, exit_at(3)) == Answer::give_up);
    }
    SECTION("a larger budget is in force at once") {
        auto larger = spec;
        larger.max_retries = 3;
        CHECK(answer_to(larger, so_far, exit_at(102)) == Answer::restart);
    }
    SECTION("no budget counts nothing") {
        auto endless = spec;
        endless.max_retries = 0;
        for (int end = 0; end < 100; ++end) so_far = counted(endless, so_far, exit_at(102));
        CHECK(answer_to(endless, so_far, exit_at(102)) == Answer::restart);
        CHECK(so_far.recent.empty());
    }
}

TEST_CASE("restarts are read back as they were written", "[restarts]") {
    const RestartSpec spec{.policy = RestartPolicy::always, .max_retries = 5};
    Restarts restarts;
    for (int end = 0; end < 7; ++end) restarts = counted(spec, restarts, exit_at(end, end));
    CHECK(parse_restarts(to_json(restarts)) == restarts);
    CHECK(parse_restarts(nlohmann::json("?")) == Restarts{});
    CHECK(parse_restarts({{"count", "many"}}) == Restarts{});
}

TEST_CASE("an end is told in a few words", "[restarts]") {
    CHECK(to_string(exit_at(1, 3, Milliseconds{250})) == "exit code 3 after 0.2 s");
    CHECK(to_string(LastExit{.exit_code = 137, .signal = 9, .reason = "signaled", .at = {}}) == "signal 9");
    CHECK(to_string(LastExit{.exit_code = 137, .signal = 9, .reason = "lost", .at = {}}) == "lost");
    CHECK(to_string(LastExit{.exit_code = 127, .reason = "failed_to_start", .at = {}}) == "not executable");
}
