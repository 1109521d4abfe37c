#include "core/model/health.h"

#include <nlohmann/json.hpp>

#include "core/model/jail_spec.h"
#include "tests/catch.h"

using namespace jaild;
using namespace jaild::model;
using nlohmann::json;

namespace {

Error refused_probe(const json& health) {
    const auto parsed = parse_spec({{"health", health}});
    REQUIRE_FALSE(parsed);
    return parsed.error();
}

}  // namespace

TEST_CASE("a probe has defaults, and its JSON reads back as the same", "[model][health]") {
    const auto spec = parse_spec({{"health", {{"tcp", {{"port", 80}}}}}});
    REQUIRE(spec);
    const auto& health = spec->health.value();
    CHECK(health.kind == ProbeKind::tcp);
    CHECK(health.port == 80);
    CHECK((health.interval.count() == 10'000 && health.timeout.count() == 5'000));
    CHECK((health.retries == 3 && health.start_period.count() == 10'000 && !health.restart));
    CHECK_FALSE(parse_spec(json::object())->health);
    CHECK_FALSE(parse_spec({{"health", nullptr}})->health);

    for (const auto& given :
         {json{{"tcp", {{"port", 1}}}, {"interval", 1}, {"timeout", 2}, {"retries", 100}, {"start_period", 0}},
          json{{"exec", {{"command", {"/bin/check", "-q"}}}}, {"restart", true}},
          json{
              {"http", {{"port", 65535}, {"path", "/status?full=1"}, {"host", "www.example.org:81"}, {"status", 204}}}},
          json{{"http", {{"port", 80}, {"status", "200-299"}}}}}) {
        const auto first = parse_health(given, "/health");
        REQUIRE(first);
        const auto again = parse_health(to_json(*first), "/health");
        REQUIRE(again);
        CHECK(*again == *first);
    }
}

TEST_CASE("what is no probe is refused with its field", "[model][health]") {
    struct Wrong {
        json health;
        const char* reason;
        const char* field;
    };
    const auto http = [](json more) {
        more["port"] = 80;
        return json{{"http", std::move(more)}};
    };
    for (const auto& [health, reason, field] : std::initializer_list<Wrong>{
             {"tcp", "wrong_type", "/health"},
             {json::object(), "missing_field", "/health"},
             {{{"tcp", {{"port", 80}}}, {"http", {{"port", 80}}}}, "invalid_value", "/health"},
             {{{"tcp", json::object()}}, "missing_field", "/health/tcp/port"},
             {{{"tcp", {{"port", 0}}}}, "invalid_port", "/health/tcp/port"},
             {{{"tcp", {{"port", 65536}}}}, "invalid_port", "/health/tcp/port"},
             {{{"tcp", {{"port", "80"}}}}, "wrong_type", "/health/tcp/port"},
             {{{"tcp", {{"port", 80}, {"path", "/"}}}}, "unknown_field", "/health/tcp/path"},
             {http({{"path", "status"}}), "invalid_value", "/health/http/path"},
             {http({{"path", "/a b"}}), "invalid_value", "/health/http/path"},
             {http({{"path", "/a\r\nX: y"}}), "invalid_value", "/health/http/path"},
             {http({{"path", "/" + std::string(1023, 'a')}}), "too_long", "/health/http/path"},
             {http({{"host", "a/b"}}), "invalid_value", "/health/http/host"},
             {http({{"host", std::string(256, 'a')}}), "too_long", "/health/http/host"},
             {http({{"status", 199}}), "invalid_value", "/health/http/status"},
             {http({{"status", "399-200"}}), "invalid_value", "/health/http/status"},
             {http({{"status", "200-600"}}), "invalid_value", "/health/http/status"},
             {http({{"status", "good"}}), "invalid_value", "/health/http/status"},
             {http({{"status", true}}), "wrong_type", "/health/http/status"},
             {{{"exec", {{"command", json::array()}}}}, "invalid_value", "/health/exec/command"},
             {{{"exec", {{"command", "check"}}}}, "wrong_type", "/health/exec/command"},
             {{{"tcp", {{"port", 80}}}, {"interval", 0}}, "invalid_value", "/health/interval"},
             {{{"tcp", {{"port", 80}}}, {"timeout", 86401}}, "invalid_value", "/health/timeout"},
             {{{"tcp", {{"port", 80}}}, {"retries", 0}}, "invalid_value", "/health/retries"},
             {{{"tcp", {{"port", 80}}}, {"retries", 101}}, "invalid_value", "/health/retries"},
             {{{"tcp", {{"port", 80}}}, {"start_period", -1}}, "invalid_value", "/health/start_period"},
             {{{"tcp", {{"port", 80}}}, {"restart", "yes"}}, "wrong_type", "/health/restart"},
             {{{"tcp", {{"port", 80}}}, {"delay", 3}}, "unknown_field", "/health/delay"}}) {
        const auto error = refused_probe(health);
        CAPTURE(health.dump());
        CHECK(error.name() == reason);
        CHECK(error.field == field);
    }
}

TEST_CASE("a probe is taken up by a running jail", "[model][health]") {
    const auto without = parse_spec(json::object()).value();
    const auto with = merge_patch(without, {{"health", {{"tcp", {{"port", 80}}}}}});
    REQUIRE(with);
    CHECK(restart_fields_changed(without, *with).empty());
    const auto other = merge_patch(*with, {{"health", {{"tcp", nullptr}, {"http", {{"port", 80}}}}}});
    REQUIRE(other);
    CHECK(other->health->kind == ProbeKind::http);
    CHECK_FALSE(merge_patch(*with, {{"health", {{"http", {{"port", 80}}}}}}));
    CHECK(merge_patch(*other, {{"health", nullptr}})->health == std::nullopt);
}
