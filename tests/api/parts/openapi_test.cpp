#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "api/http/problem.h"
#include "api/v1/openapi_document.h"
#include "api/v1/service.h"
#include "tests/catch.h"

using namespace jaild;
using namespace jaild::api;
using nlohmann::json;

namespace {

using Key = std::pair<std::string, std::string>;  // "get", "/v1/jails"

const json& document() {
    static const json kDocument = json::parse(openapi_document());
    return kDocument;
}

const json& resolved(const json& value) {
    const auto reference = value.find("$ref");
    if (reference == value.end()) return value;
    return document().at(json::json_pointer(reference->get<std::string>().substr(1)));
}

std::string lower(std::string_view text) {
    std::string all(text);
    for (auto& c : all) c = static_cast<char>(c | 0x20);
    return all;
}

/// The operations of the document by method and path.
std::map<Key, json> described() {
    std::map<Key, json> all;
    for (const auto& [path, item] : document().at("paths").items())
        for (const auto& [method, operation] : item.items())
            if (method != "parameters") all[{method, path}] = operation;
    return all;
}

std::set<std::string> query_parameters(const json& operation) {
    std::set<std::string> names;
    for (const auto& parameter : operation.value("parameters", json::array()))
        if (const auto& each = resolved(parameter); each.at("in") == "query") names.insert(each.at("name"));
    return names;
}

std::set<std::string> content_types(const json& operation) {
    std::set<std::string> types;
    if (operation.contains("requestBody"))
        for (const auto& [type, schema] : operation["requestBody"]["content"].items()) types.insert(type);
    return types;
}

}  // namespace

TEST_CASE("routes and document are the same, in both directions", "[api][openapi]") {
    const auto operations = described();
    std::set<Key> routed;
    for (const auto& route : service_routes()) {
        const Key key{lower(to_string(route.method)), std::string(route.pattern)};
        INFO(key.first << " " << key.second);
        REQUIRE(routed.insert(key).second);
        REQUIRE(operations.contains(key));
        const auto& operation = operations.at(key);

        CHECK(query_parameters(operation) == std::set<std::string>(route.parameters.begin(), route.parameters.end()));
        const std::set<std::string> types =
            route.content == Content::none     ? std::set<std::string>{}
            : route.content == Content::stream ? std::set<std::string>{"application/octet-stream"}
            : route.content == Content::json
                ? std::set<std::string>{"application/json"}
                : std::set<std::string>{"application/json", "application/merge-patch+json"};
        CHECK(content_types(operation) == types);
        // Who needs no token is told so.
        CHECK((route.access == Access::anyone) == operation.contains("security"));
        CHECK(operation.at("responses").contains("401") == (route.access != Access::anyone));
        CHECK(operation.at("responses").contains("403") == (route.access != Access::anyone));
    }
    for (const auto& [key, operation] : operations) {
        INFO(key.first << " " << key.second);
        CHECK(routed.contains(key));
    }
}

TEST_CASE("every problem in the document is a problem, and every operation has one", "[api][openapi]") {
    for (const auto& [key, operation] : described()) {
        INFO(key.first << " " << key.second);
        CHECK(operation.at("responses").contains("400"));
        for (const auto& [status, response] : operation.at("responses").items()) {
            if (status < "400") continue;
            INFO(status);
            CHECK(resolved(response).at("content").contains("application/problem+json"));
        }
    }
}

TEST_CASE("the codes of the document are the codes of the server", "[api][openapi]") {
    std::map<std::string, unsigned> ours;
    for (const auto& [code, status] : code_statuses()) ours.emplace(code, status);
    const auto& schema = document().at("components").at("schemas").at("Problem");
    CHECK(schema.at("properties").at("code").at("x-jaild-codes").get<std::map<std::string, unsigned>>() == ours);
}
