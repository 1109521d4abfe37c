#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

Desired with(model::Parameters parameters) {
    auto desired = wanted_web();
    desired.jail.spec.parameters = std::move(parameters);
    return desired;
}

const model::Parameters kParameters{
    {"allow.mount", true}, {"securelevel", std::int64_t{1}}, {"osreldate", std::int64_t{7}}};

std::vector<std::string> waiting(const Desired& desired, const Toy& toy) {
    return effective(desired.jail, toy.observed).waiting;
}

}  // namespace

TEST_CASE("a jail is made with its parameters, and they need no step of their own", "[plan][parameters]") {
    auto toy = Toy::running(with(kParameters));
    CHECK(toy.observed.jail->parameters == kParameters);
    CHECK(plan(with(kParameters), toy.observed).empty());
}

TEST_CASE("a parameter that somebody changed is drift, and set again", "[plan][parameters]") {
    const auto desired = with(kParameters);
    auto toy = Toy::running(desired);
    toy.observed.jail->parameters["allow.mount"] = false;
    CHECK(is_drift(desired, toy.observed));
    CHECK(toy.converge(desired) == Steps{"update_jail web"});
}

TEST_CASE("a jail's root may raise its securelevel, a new generation sets it", "[plan][parameters]") {
    const auto desired = with(kParameters);
    auto toy = Toy::running(desired);
    toy.observed.jail->parameters["securelevel"] = std::int64_t{3};
    CHECK(plan(desired, toy.observed).empty());
    toy.observed.jail->parameters["securelevel"] = std::int64_t{0};
    CHECK(texts(plan(desired, toy.observed)) == Steps{"update_jail web"});

    toy.observed.jail->parameters["securelevel"] = std::int64_t{3};
    const auto lower =
        changed(desired, [](model::JailSpec& spec) { spec.parameters["securelevel"] = std::int64_t{0}; });
    CHECK(toy.converge(lower) == Steps{"update_jail web", "record_done"});
}

TEST_CASE("a live parameter is set at once, and a new one is written down before", "[plan][parameters]") {
    const auto desired = with(kParameters);
    auto toy = Toy::running(desired);
    const auto other = changed(desired, [](model::JailSpec& spec) { spec.parameters["allow.mount"] = false; });
    CHECK(toy.converge(other) == Steps{"update_jail web", "record_done"});
    const auto more = changed(other, [](model::JailSpec& spec) { spec.parameters["allow.chflags"] = true; });
    CHECK(toy.converge(more) == Steps{"record_change", "update_jail web", "record_done"});
    CHECK(waiting(more, toy).empty());
}

TEST_CASE("a parameter that is taken away waits for a restart, also after a crash right after it was set",
          "[plan][parameters]") {
    const auto desired = with({});
    auto toy = Toy::running(desired);
    const auto more = changed(desired, [](model::JailSpec& spec) { spec.parameters["allow.mount"] = true; });
    REQUIRE(toy.do_once(more, 2) == Steps{"record_change", "update_jail web"});
    const auto less = changed(more, [](model::JailSpec& spec) { spec.parameters.clear(); });
    toy.converge(less);
    CHECK(waiting(less, toy) == std::vector<std::string>{"/parameters/allow.mount"});
    CHECK(toy.observed.jail->parameters.contains("allow.mount"));

    toy.converge(restarted(less));
    CHECK(toy.observed.jail->parameters.empty());
    CHECK(waiting(restarted(less), toy).empty());
}

TEST_CASE("a parameter that is fixed at creation waits, and keeps nothing else waiting", "[plan][parameters]") {
    const auto desired = with(kParameters);
    auto toy = Toy::running(desired);
    const auto other = changed(desired, [](model::JailSpec& spec) {
        spec.parameters["osreldate"] = std::int64_t{8};
        spec.parameters["allow.mount"] = false;
        spec.devfs_ruleset = 10;
    });
    toy.converge(other);
    CHECK(waiting(other, toy) == std::vector<std::string>{"/devfs_ruleset", "/parameters/osreldate"});
    CHECK(toy.observed.jail->parameters.at("allow.mount") == model::ParameterValue(false));
    CHECK(toy.observed.jail->parameters.at("osreldate") == model::ParameterValue(std::int64_t{7}));
}

TEST_CASE("a parameter that comes by its other name leaves what the jail was made with readable",
          "[plan][parameters]") {
    const auto desired = with({{"allow.nomount", true}});
    auto toy = Toy::running(desired);
    const auto other = changed(desired, [](model::JailSpec& spec) {
        spec.parameters = {{"allow.mount", true}};
        spec.devfs_ruleset = 10;
    });
    toy.converge(other);
    CHECK(waiting(other, toy) == std::vector<std::string>{"/devfs_ruleset"});
}
