#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// At the limit it is taken, one beyond it is refused as `expected`.
template <class F>
void check_bound(std::size_t limit, const std::string& expected, F document) {
    INFO(expected);
    CHECK(parse_spec(document(limit)).has_value());
    CHECK(refusal_of(document(limit + 1)) == expected);
}

std::string text(std::size_t bytes) {
    return std::string(bytes, 'x');
}

json entries(std::size_t count) {
    json object = json::object();
    for (std::size_t i = 0; i < count; ++i) object["K" + std::to_string(i)] = "v";
    return object;
}

}  // namespace

TEST_CASE("an argv is bounded in elements and in bytes", "[model][limits]") {
    const auto place = GENERATE(as<std::string>{}, "/command", "/exec/start", "/exec/stop");
    const auto at = [&](json argv) {
        json document = json::object();
        document[json::json_pointer(place)] = std::move(argv);
        return document;
    };
    check_bound(SpecLimits::argv_elements, "too_many " + place,
                [&](std::size_t n) { return at(json(std::vector<std::string>(n, "x"))); });
    check_bound(SpecLimits::argv_bytes - 10, "too_long " + place, [&](std::size_t n) {
        return at({text(10), text(n)});
    });
    check_bound(SpecLimits::argv_bytes, "too_long " + place + "/0",
                [&](std::size_t n) { return at(json::array({text(n)})); });
}

TEST_CASE("the environment is bounded in entries, names and values", "[model][limits]") {
    const auto at = [](json env) { return json{{"exec", {{"env", std::move(env)}}}}; };
    check_bound(SpecLimits::env_entries, "too_many /exec/env", [&](std::size_t n) { return at(entries(n)); });
    check_bound(SpecLimits::env_value_bytes, "too_long /exec/env/A", [&](std::size_t n) {
        return at({{"A", text(n)}});
    });
    check_bound(SpecLimits::env_value_bytes, "too_long /exec/env/A/value", [&](std::size_t n) {
        return at({{"A", {{"value", text(n)}}}});
    });
    check_bound(SpecLimits::env_name_bytes, "too_long /exec/env/" + text(SpecLimits::env_name_bytes + 1),
                [&](std::size_t n) {
                    return at({{text(n), "v"}});
                });
}

TEST_CASE("labels are bounded in number, keys and values", "[model][limits]") {
    const auto at = [](json labels) { return json{{"labels", std::move(labels)}}; };
    check_bound(SpecLimits::labels, "too_many /labels", [&](std::size_t n) { return at(entries(n)); });
    check_bound(SpecLimits::label_bytes, "too_long /labels/a", [&](std::size_t n) { return at({{"a", text(n)}}); });
    check_bound(SpecLimits::label_bytes, "too_long /labels/" + text(SpecLimits::label_bytes + 1), [&](std::size_t n) {
        return at({{text(n), "v"}});
    });
}

TEST_CASE("paths, host names and users are bounded", "[model][limits]") {
    check_bound(SpecLimits::path_bytes, "too_long /root/path", [](std::size_t n) {
        return json{{"root", {{"kind", "path"}, {"path", "/" + text(n - 1)}}}};
    });
    check_bound(SpecLimits::path_bytes, "too_long /exec/directory", [](std::size_t n) {
        return json{{"exec", {{"directory", "/" + text(n - 1)}}}};
    });
    check_bound(SpecLimits::hostname_bytes, "too_long /hostname", [](std::size_t n) {
        return json{{"hostname", text(n)}};
    });
    check_bound(SpecLimits::user_bytes, "too_long /exec/user", [](std::size_t n) {
        return json{{"exec", {{"user", text(n)}}}};
    });
    check_bound(Name::kMaxLength, "invalid_name /template", [](std::size_t n) { return json{{"template", text(n)}}; });
}

TEST_CASE("resolvers and search domains are as many as resolv.conf(5) takes", "[model][limits]") {
    check_bound(SpecLimits::nameservers, "too_many /network/nameservers", [](std::size_t n) {
        return json{{"network", {{"nameservers", std::vector<std::string>(n, "9.9.9.9")}}}};
    });
    check_bound(SpecLimits::search_domains, "too_many /network/search", [](std::size_t n) {
        return json{{"network", {{"search", std::vector<std::string>(n, "example.org")}}}};
    });
}

TEST_CASE("a timeout is at most a day", "[model][limits]") {
    check_bound(SpecLimits::timeout_seconds, "invalid_value /exec/timeout", [](std::size_t n) {
        return json{{"exec", {{"timeout", n}}}};
    });
}
