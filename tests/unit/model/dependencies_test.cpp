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
    CHECK(spec.depends_on == Names{"db", "Cache"});
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
