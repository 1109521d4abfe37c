#include <fmt/core.h>

#include <cerrno>

#include "tests/catch.h"
#include "tests/simulation/scene/expectation.h"
#include "tests/simulation/systematic/scenario.h"

using namespace jaild::simulation;
using jaild::kernel::memory::When;

namespace {

constexpr int kRounds = 3;  // with the fault still in place, before all is calm

struct End {
    std::string description;
    std::vector<std::string> problems;
    bool settled = false;
};

End end_of(Scene& scene) {
    for (int round = 0; round < kRounds; ++round) (void)scene.round();
    End end;
    end.settled = scene.settle().has_value();
    end.problems = problems(scene);
    end.description = scene.kernel().describe();
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

void check_end(Scene& scene, const std::string& expected) {
    const auto end = end_of(scene);
    INFO("last error: " << scene.last_error());
    CHECK(end.settled);
    CHECK(end.problems == std::vector<std::string>{});
    CHECK(end.description == expected);
}

}  // namespace

TEST_CASE("an error at any point is overcome, and the end is the same", "[simulation][every point]") {
    for (const auto& scenario : scenarios()) {
        const auto reference = undisturbed(scenario);
        for (std::size_t point = 1; point <= reference.points; ++point) {
            for (const auto when : {When::before, When::after}) {
                auto scene = prepared(scenario);
                scene->kernel().faults().fail(point, EIO, when);
                INFO(fmt::format("{}: EIO {} point {}", scenario.name, when == When::before ? "before" : "after",
                                 point));
                scenario.act(*scene);
                check_end(*scene, reference.description);
            }
        }
    }
}

TEST_CASE("a crash at any point is overcome, and the end is the same", "[simulation][every point]") {
    for (const auto& scenario : scenarios()) {
        const auto reference = undisturbed(scenario);
        for (std::size_t point = 1; point <= reference.points; ++point) {
            for (const auto when : {When::before, When::after}) {
                auto scene = prepared(scenario);
                scene->kernel().faults().crash(point, when);
                INFO(fmt::format("{}: crash {} point {}", scenario.name, when == When::before ? "before" : "after",
                                 point));
                scenario.act(*scene);
                check_end(*scene, reference.description);
            }
        }
    }
}

TEST_CASE("any two crashes while a jail is made are overcome", "[simulation][every pair]") {
    const auto& creation = scenario("create thin");
    const auto reference = undisturbed(creation);
    for (std::size_t first = 1; first <= reference.points; ++first) {
        for (std::size_t second = first + 1; second <= first + reference.points; ++second) {
            auto scene = prepared(creation);
            scene->kernel().faults().crash(first, When::after);
            scene->kernel().faults().crash(second, When::after);
            INFO(fmt::format("crashes after points {} and {}", first, second));
            creation.act(*scene);
            check_end(*scene, reference.description);
        }
    }
}
