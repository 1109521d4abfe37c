#include "core/model/dependencies.h"

#include <nlohmann/json.hpp>

#include "core/model/jail_spec.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::model;
using jaild::test::error_of;
using jaild::test::value_of;
using nlohmann::json;
using Names = std::vector<std::string>;

TEST_CASE("a jail names others that it needs", "[model][dependencies]") {
    const auto spec = value_of(parse_spec(json{{"depends_on", {"db", "Cache"}}}));
    CHECK(spec.depends_on == std::vector<Dependency>{"db", "Cache"});
    CHECK(to_json(spec, Secrets::hide)["depends_on"] == json{"db", "Cache"});
    const auto refused = [](json names) {
        const auto error = error_of(parse_spec(json{{"depends_on", std::move(names)}}));
        return std::string(error.name()) + " " + error.field;
    };
    CHECK(refused("db") == "wrong_type /depends_on");
    CHECK(refused(json::array({1})) == "wrong_type /depends_on/0");
    CHECK(refused({"a", "a.b"}) == "invalid_name /depends_on/1");
    CHECK(refused({"db", "DB"}) == "invalid_value /depends_on/1");
    CHECK(refused(Names(65, "a")) == "too_many /depends_on");
}

TEST_CASE("a dependency may say what it waits for, and what follows when it is made anew", "[model][dependencies]") {
    const json entries{{{"jail", "db"}, {"condition", "healthy"}, {"on_death", "restart"}},
                       {{"jail", "Cache"}, {"on_death", "restart"}},
                       {{"jail", "queue"}}};
    const auto spec = value_of(parse_spec(json{{"depends_on", entries}}));
    REQUIRE(spec.depends_on.size() == 3);
    CHECK(spec.depends_on[0].condition == DependencyCondition::healthy);
    CHECK(spec.depends_on[0].on_death == OnDeath::restart);
    CHECK(spec.depends_on[1].condition == DependencyCondition::started);
    CHECK(spec.depends_on[2] == Dependency("queue"));
    const auto written = to_json(spec, Secrets::hide)["depends_on"];
    CHECK(written[0] == entries[0]);
    CHECK(written[2] == "queue");
    CHECK(value_of(parse_spec(json{{"depends_on", written}})) == spec);
    CHECK(named_in(written[1]) == "Cache");
    CHECK(named_in(json(5)).empty());

    const auto refused = [](json entry) {
        const auto error = error_of(parse_spec(json{{"depends_on", {"db", std::move(entry)}}}));
        return std::string(error.name()) + " " + error.field;
    };
    CHECK(refused(json::object()) == "missing_field /depends_on/1/jail");
    CHECK(refused({{"jail", "DB"}}) == "invalid_value /depends_on/1/jail");
    CHECK(refused({{"jail", "a.b"}}) == "invalid_name /depends_on/1/jail");
    CHECK(refused({{"jail", "a"}, {"condition", "ready"}}) == "invalid_value /depends_on/1/condition");
    CHECK(refused({{"jail", "a"}, {"on_death", true}}) == "wrong_type /depends_on/1/on_death");
    CHECK(refused({{"jail", "a"}, {"after", 5}}) == "unknown_field /depends_on/1/after");
}

TEST_CASE("a circle of dependencies is refused with its way", "[model][dependencies]") {
    const Dependencies all{{"web", {"App"}}, {"app", {"cache", "db"}}, {"cache", {"db"}}};
    CHECK(check_no_cycle("other", {"web", "db"}, all));
    CHECK(check_no_cycle("db", {"disk"}, all));
    const auto error = error_of(check_no_cycle("db", {"disk", "web"}, all));
    CHECK(error.reason == "dependency_cycle");
    CHECK(error.field == "/depends_on");
    CHECK(error.detail.ends_with("db needs web needs App needs cache needs db"));
    CHECK(error_of(check_no_cycle("Self", {"self"}, {})).detail.ends_with("Self needs self"));
    SECTION("what it named before does not count") {
        CHECK(check_no_cycle("web", {}, all));
        CHECK(check_no_cycle("cache", {"disk"}, all));
    }
    SECTION("one that others make is not its own") {
        CHECK(check_no_cycle("new", {"a"}, {{"a", {"b"}}, {"b", {"a"}}}));
    }
}

TEST_CASE("whoever needs another is stopped before it", "[model][dependencies]") {
    const Dependencies all{{"web", {"app"}}, {"app", {"cache", "db"}}, {"cache", {"db"}}};
    CHECK(stop_order({"db", "cache", "app", "web", "alone"}, all) == Names{"web", "app", "cache", "db", "alone"});
    CHECK(stop_order({"alone", "db", "web"}, all) == Names{"alone", "web", "db"});
    CHECK(stop_order({"b", "a"}, {{"a", {"b"}}, {"b", {"a"}}}).size() == 2);
}
