#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <numeric>
#include <optional>
#include <regex>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/simulation/scene/expectation.h"
#include "tests/simulation/systematic/scenario.h"

using namespace jaild::simulation;
using jaild::kernel::memory::Faults;
using jaild::kernel::memory::When;

namespace {

constexpr int kRounds = 3;  // with the fault still in place, before all is calm

struct End {
    std::string description;
    std::vector<std::string> problems;
    bool settled = false;
};

/// A crash takes time, and times are the only thing in which its end may differ; and how often a jail was begun.
std::string without_times(const std::string& description) {
    static const std::regex times("\"(at|ran)\":[0-9]+|\"lives\":\\{[^}]*\\}|[0-9]{13}");
    return std::regex_replace(description, times, "TIME");
}

End end_of(Scene& scene) {
    for (int round = 0; round < kRounds; ++round) (void)scene.round();
    End end;
    end.settled = scene.settle().has_value();
    end.problems = problems(scene);
    end.description = without_times(scene.kernel().describe());
    return end;
}

struct Undisturbed {
    std::string description;
    std::size_t points = 0;  ///< from the act to the first quiet
};

Undisturbed undisturbed(const Scenario& scenario) {
    auto scene = prepared(scenario);
    scenario.act(*scene);
    (void)scene->round();
    (void)scene->round();
    const auto points = scene->kernel().faults().passed();
    const auto end = end_of(*scene);
    CHECK(end.settled);
    CHECK(end.problems == std::vector<std::string>{});
    return {end.description, points};
}

/// A crash after one that only reads is the same as one after the change before it.
bool changes(std::string_view point) {
    constexpr std::string_view reading[] = {
        "jails.list",     "jails.applied",       "jails.check_name",   "jails.parameters", "limits.list",
        "processes.list", "mounts.list",         "links.list",         "links.bridges",    "links.forwarding",
        "firewall.list",  "firewall.list_jails", "firewall.available", "roots.list",       "roots.mounts",
        "roots.prepared", "snapshots.staged",    "store.read"};
    return std::ranges::find(reading, point) == std::end(reading);
}

/// The numbers of all points that change something, in a run in which the daemon dies after point `crash`.
std::vector<std::size_t> changing_points(const Scenario& scenario, std::optional<std::size_t> crash) {
    auto scene = prepared(scenario);
    std::vector<std::size_t> numbers;
    auto& faults = scene->kernel().faults();
    if (crash) faults.crash(*crash, When::after);
    faults.trace([&](std::size_t number, std::string_view point) {
        if (changes(point)) numbers.push_back(number);
    });
    scenario.act(*scene);
    for (int round = 0; round < kRounds; ++round) (void)scene->round();
    faults.trace(nullptr);
    return numbers;
}

void check_end(Scene& scene, const std::string& expected) {
    const auto end = end_of(scene);
    INFO("last error: " << scene.last_error());
    CHECK(end.settled);
    CHECK(end.problems == std::vector<std::string>{});
    CHECK(end.description == expected);
}

std::vector<std::size_t> all_points(const Scenario&, const Undisturbed& reference) {
    std::vector<std::size_t> numbers(reference.points);
    std::iota(numbers.begin(), numbers.end(), 1);
    return numbers;
}

std::vector<std::size_t> change_points(const Scenario& scenario, const Undisturbed&) {
    return changing_points(scenario, std::nullopt);
}

/// TSan is slow and has nothing to find in one thread, and ASan is slow: a part of the points is enough for each,
/// another part of each scenario.
#if defined(__SANITIZE_THREAD__)
constexpr std::size_t kStride = 5;
#elif defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kStride = 4;
#else
constexpr std::size_t kStride = 1;
#endif

std::vector<std::size_t> part_of(const std::vector<std::size_t>& points, std::size_t offset) {
    std::vector<std::size_t> part;
    for (std::size_t i = offset % kStride; i < points.size(); i += kStride) part.push_back(points[i]);
    return part;
}

/// In every scenario, at one point after the other.
template <class Points, class Strike>
void strike_everywhere(Points points, Strike strike) {
    std::size_t number = 0;
    for (const auto& scenario : scenarios()) {
        const auto reference = undisturbed(scenario);
        for (const auto point : part_of(points(scenario, reference), number++)) {
            auto scene = prepared(scenario);
            strike(scene->kernel().faults(), point);
            INFO(scenario.name << ", point " << point);
            scenario.act(*scene);
            check_end(*scene, reference.description);
        }
    }
}

using Pair = std::pair<std::size_t, std::size_t>;

/// Each with every change that comes after a crash there.
std::vector<Pair> pairs_of(const Scenario& scenario, const std::vector<std::size_t>& firsts) {
    std::vector<Pair> pairs;
    for (const auto first : firsts)
        for (const auto second : changing_points(scenario, first))
            if (second > first) pairs.emplace_back(first, second);
    return pairs;
}

void strike_pairs(const Scenario& scenario, const Undisturbed& reference, const std::vector<Pair>& pairs) {
    for (const auto& [first, second] : pairs) {
        auto scene = prepared(scenario);
        scene->kernel().faults().crash(first, When::after);
        scene->kernel().faults().crash(second, When::after);
        INFO(fmt::format("{}, crashes after points {} and {}", scenario.name, first, second));
        scenario.act(*scene);
        check_end(*scene, reference.description);
    }
}

}  // namespace

TEST_CASE("an error at any point is overcome, and the end is the same", "[simulation][every point]") {
    strike_everywhere(all_points, [](Faults& faults, std::size_t point) { faults.fail(point, EIO); });
}

TEST_CASE("an error that hides that a step happened is overcome, and the end is the same",
          "[simulation][every point]") {
    strike_everywhere(change_points, [](Faults& faults, std::size_t point) { faults.fail(point, EIO, When::after); });
}

TEST_CASE("a crash before any point is overcome, and the end is the same", "[simulation][every point]") {
    strike_everywhere(all_points, [](Faults& faults, std::size_t point) { faults.crash(point, When::before); });
}

TEST_CASE("a crash after any step is overcome, and the end is the same", "[simulation][every point]") {
    strike_everywhere(change_points, [](Faults& faults, std::size_t point) { faults.crash(point, When::after); });
}

TEST_CASE("any two crashes while a jail is made are overcome", "[simulation][every pair]") {
    const auto& creation = scenario("create thin");
    strike_pairs(creation, undisturbed(creation), pairs_of(creation, part_of(change_points(creation, {}), 0)));
}

TEST_CASE("two crashes on the way of anything else are overcome, sampled", "[simulation][every pair]") {
    // As many of each scenario, spread over all its pairs.
    constexpr std::size_t kPairs = 60 / kStride;
    for (const auto& one : scenarios()) {
        const auto pairs = pairs_of(one, changing_points(one, std::nullopt));
        std::vector<Pair> sample;
        const auto step = std::max<std::size_t>(1, pairs.size() / kPairs);
        for (std::size_t at = step / 2; at < pairs.size(); at += step) sample.push_back(pairs[at]);
        strike_pairs(one, undisturbed(one), sample);
    }
}

// Takes a while: sh tools/simulate --pairs
TEST_CASE("any two crashes on the way of anything are overcome", "[.][all pairs]") {
    for (const auto& one : scenarios()) {
        const auto pairs = pairs_of(one, changing_points(one, std::nullopt));
        fmt::print("{}: {} pairs\n", one.name, pairs.size());
        std::fflush(stdout);
        strike_pairs(one, undisturbed(one), pairs);
    }
}
