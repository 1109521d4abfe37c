#include "core/model/status.h"

#include <nlohmann/json.hpp>

#include "core/model/jail.h"
#include "core/model/network.h"
#include "core/model/operation.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

Jail web() {
    Jail jail{.id = JailId{7}, .name = value_of(Name::parse("Web")), .spec = {}, .generation = 3};
    jail.spec.labels["tier"] = "front";
    jail.spec.exec.env["TOKEN"] = {.value = "s3cret", .secret = true};
    jail.status.state = JailState::running;
    jail.status.pid = 42;
    jail.status.addresses = {value_of(Prefix::parse("10.213.0.2/24"))};
    return jail;
}

}  // namespace

TEST_CASE("a condition keeps its time while its status and reason stay the same", "[model][status]") {
    std::vector<Condition> conditions;
    set_condition(conditions,
                  {.type = "Ready", .status = false, .reason = "Starting", .message = "a", .since = UtcTime{1}});
    set_condition(conditions,
                  {.type = "Ready", .status = false, .reason = "Starting", .message = "b", .since = UtcTime{2}});
    REQUIRE(conditions.size() == 1);
    CHECK(conditions[0].since.milliseconds == 1);
    CHECK(conditions[0].message == "b");

    set_condition(conditions,
                  {.type = "Ready", .status = false, .reason = "NoRoot", .message = "c", .since = UtcTime{3}});
    CHECK(conditions[0].since.milliseconds == 3);
    set_condition(conditions,
                  {.type = "Ready", .status = true, .reason = "NoRoot", .message = "d", .since = UtcTime{4}});
    CHECK(conditions[0].since.milliseconds == 4);
    set_condition(conditions,
                  {.type = "NatMissing", .status = true, .reason = "x", .message = "", .since = UtcTime{5}});
    CHECK(conditions.size() == 2);
}

TEST_CASE("a jail's entity tag is its id and generation, so a new jail of the same name has another",
          "[model][status]") {
    auto jail = web();
    CHECK(etag(jail) == "\"7.3\"");
    jail.generation = 4;
    CHECK(etag(jail) == "\"7.4\"");
    jail.id = JailId{8};
    CHECK(etag(jail) == "\"8.4\"");
}

TEST_CASE("a jail shows name, spec, status, generation, time, labels and pool, and no secret", "[model][status]") {
    const auto shown = to_json(web());
    std::vector<std::string> keys;
    for (const auto& [key, value] : shown.items()) keys.push_back(key);
    CHECK(keys == std::vector<std::string>{"created_at", "generation", "labels", "name", "pool", "spec", "status"});
    CHECK(shown["name"] == "Web");
    CHECK(shown["labels"]["tier"] == "front");
    CHECK(shown["status"]["state"] == "running");
    CHECK(shown["status"]["pid"] == 42);
    CHECK(shown["status"]["jid"].is_null());
    CHECK(shown["status"]["generation"] == 3);
    CHECK(shown["status"]["addresses"] == json::array({"10.213.0.2/24"}));
    CHECK(shown.dump().find("s3cret") == std::string::npos);
}

TEST_CASE("an exit says how it came about", "[model][status]") {
    CHECK(to_json(LastExit{
              .exit_code = 137, .signal = 9, .reason = "signaled", .at = UtcTime{0}, .ran = Milliseconds{1'500}}) ==
          json({{"exit_code", 137},
                {"signal", 9},
                {"reason", "signaled"},
                {"at", "1970-01-01T00:00:00.000Z"},
                {"ran_seconds", 1.5}}));
    CHECK(to_json(LastExit{.reason = "exited"})["signal"].is_null());
}

TEST_CASE("a network's gateway is the first address of each subnet", "[model][network]") {
    const Network network{.id = NetworkId{1},
                          .name = value_of(Name::parse("default")),
                          .ipv4 = value_of(Prefix::parse("10.213.0.0/24")),
                          .ipv6 = value_of(Prefix::parse("fd12:3456:789a::/64"))};
    CHECK(network.bridge_addresses().at(0).to_string() == "10.213.0.1/24");
    CHECK(network.bridge_addresses().at(1).to_string() == "fd12:3456:789a::1/64");
    const auto shown = to_json(network);
    CHECK(shown["spec"]["ipv4"] == "10.213.0.0/24");
    CHECK(shown["spec"]["ipv6"] == "fd12:3456:789a::/64");
    CHECK(shown["status"]["gateways"] == json::array({"10.213.0.1", "fd12:3456:789a::1"}));
}

TEST_CASE("an operation shows its problem as a client may act on it", "[model][operation]") {
    Operation operation{.id = "0123456789abcdef", .kind = "create", .jail_name = "web", .steps = {"mount root"}};
    CHECK(to_json(operation)["problem"].is_null());
    CHECK(to_json(operation)["finished_at"].is_null());
    auto error = Error::from_errno("mount", 16, "root");
    error.remedy = "unmount it";
    operation.state = OperationState::failed;
    operation.problem = to_problem(error);
    operation.finished_at = UtcTime{0};
    const auto shown = to_json(operation);
    CHECK(shown["state"] == "failed");
    CHECK(shown["problem"]["code"] == "busy");
    CHECK(shown["problem"]["errno"] == 16);
    CHECK(shown["problem"]["remedy"] == "unmount it");
    CHECK(shown["problem"]["field"].is_null());
    CHECK(shown["steps"] == json::array({"mount root"}));
}

TEST_CASE("an event's data is an object, whatever was stored", "[model][operation]") {
    CHECK(to_json(Event{.seq = {5}, .type = "jail.created", .jail = "web", .data = R"({"a": 1})"})["data"]["a"] == 1);
    for (const auto* data : {"", "[1]", "{", "null"})
        CHECK(to_json(Event{.type = "x", .data = data})["data"] == json::object());
    CHECK(to_json(Event{.seq = {5}, .type = "x"})["jail"].is_null());
}
