#include "core/model/policy.h"

#include "tests/unit/model/specs.h"

using namespace jaild;
using namespace jaild::model;
using namespace jaild::test;
using nlohmann::json;

namespace {

std::string refused(const json& document) {
    const auto error = error_of(parse_spec(document));
    return std::string(error.name()) + " " + error.field;
}

json published(const json& entry) {
    return {{"publish", json::array({entry})}};
}

json ingress(const json& rule) {
    return {{"firewall", {{"ingress", {{"rules", json::array({rule})}}}}}};
}

json many(std::size_t count, const json& one) {
    json all = json::array();
    for (std::size_t i = 0; i < count; ++i) all.push_back(one);
    return all;
}

}  // namespace

TEST_CASE("a published port leads to the same port by TCP from every address unless it says otherwise",
          "[model][publish]") {
    const auto made = spec(R"({"publish": [{"host_port": 8080}, {"host_port": "9000-9001", "jail_port": "80-81",
        "protocol": "udp", "host_address": "2001:db8::1"}]})");
    CHECK(made.publish.at(0) == Publish{.host_port = {8080, 8080}, .jail_port = {8080, 8080}});
    CHECK(made.publish.at(1) == Publish{.host_port = {9000, 9001},
                                        .jail_port = {80, 81},
                                        .protocol = Protocol::udp,
                                        .host_address = *IpAddress::parse("2001:db8::1")});
    CHECK(made.publish.at(1).host_side() == "udp [2001:db8::1]:9000-9001");
    CHECK(to_json(made, Secrets::keep)["publish"] == parsed(R"([
        {"host_port": 8080, "jail_port": 8080, "protocol": "tcp"},
        {"host_port": "9000-9001", "jail_port": "80-81", "protocol": "udp", "host_address": "2001:db8::1"}])"));
}

TEST_CASE("what cannot be published is refused with its field", "[model][publish]") {
    CHECK(refused(published({{"jail_port", 80}})) == "missing_field /publish/0/host_port");
    CHECK(refused(published({{"host_port", 0}})) == "invalid_port /publish/0/host_port");
    CHECK(refused(published({{"host_port", 65536}})) == "invalid_port /publish/0/host_port");
    CHECK(refused(published({{"host_port", "10-9"}})) == "invalid_port /publish/0/host_port");
    CHECK(refused(published({{"host_port", "1-2-3"}})) == "invalid_port /publish/0/host_port");
    CHECK(refused(published({{"host_port", ""}})) == "invalid_port /publish/0/host_port");
    CHECK(refused(published({{"host_port", true}})) == "wrong_type /publish/0/host_port");
    CHECK(refused(published({{"host_port", "80-81"}, {"jail_port", 80}})) == "invalid_value /publish/0/jail_port");
    CHECK(refused(published({{"host_port", 80}, {"protocol", "icmp"}})) == "invalid_value /publish/0/protocol");
    CHECK(refused(published({{"host_port", 80}, {"protocol", "sctp"}})) == "invalid_value /publish/0/protocol");
    CHECK(refused(published({{"host_port", 80}, {"host_address", "::/0"}})) ==
          "invalid_address /publish/0/host_address");
    CHECK(refused(published({{"host_port", 80}, {"port", 80}})) == "unknown_field /publish/0/port");
    auto without_network = published({{"host_port", 80}});
    without_network["network"] = {{"mode", "none"}};
    CHECK(refused(without_network) == "invalid_value /publish");
}

TEST_CASE("two entries of a jail cannot take one port of the host", "[model][publish]") {
    const auto both = [](const char* one, const char* other) {
        return json{{"publish", json::array({parsed(one), parsed(other)})}};
    };
    CHECK(refused(both(R"({"host_port": "80-90"})", R"({"host_port": 85, "host_address": "192.0.2.1"})")) ==
          "invalid_value /publish/1");
    CHECK(parse_spec(both(R"({"host_port": 80})", R"({"host_port": 80, "protocol": "udp"})")));
    CHECK(parse_spec(both(R"({"host_port": 80, "host_address": "192.0.2.1"})",
                          R"({"host_port": 80, "host_address": "192.0.2.2"})")));
    CHECK(parse_spec(both(R"({"host_port": "80-89"})", R"({"host_port": 90})")));
}

TEST_CASE("a policy is read with its selectors, and its absence is not an empty one", "[model][policy]") {
    const auto made = spec(R"({"firewall": {"ingress": {"default": "allow", "rules": [
        {"from": {"jail": "web"}, "protocol": "tcp", "ports": [80, "8000-8010"]},
        {"from": {"label": "tier=front"}, "action": "deny"}, {"from": {"label": "tier"}},
        {"from": {"network": "lan"}, "protocol": "icmp"}, {"from": {"cidr": "10.0.0.0/8"}},
        {"from": {"cidr": "2001:db8::7"}}, {}]}}})");
    CHECK_FALSE(made.firewall.egress.has_value());
    const auto& policy = made.firewall.ingress.value();
    CHECK(policy.fallback == Action::allow);
    CHECK(policy.rules.at(0) ==
          PolicyRule{.peer = PeerJail{"web"}, .protocol = Protocol::tcp, .ports = {{80, 80}, {8000, 8010}}});
    CHECK(policy.rules.at(1) == PolicyRule{.peer = PeerLabel{"tier", "front"}, .action = Action::deny});
    CHECK(policy.rules.at(2) == PolicyRule{.peer = PeerLabel{.key = "tier"}});
    CHECK(policy.rules.at(3) == PolicyRule{.peer = PeerNetwork{"lan"}, .protocol = Protocol::icmp});
    CHECK(policy.rules.at(4) == PolicyRule{.peer = *Prefix::parse("10.0.0.0/8")});
    CHECK(policy.rules.at(5) == PolicyRule{.peer = *Prefix::parse("2001:db8::7/128")});
    CHECK(policy.rules.at(6) == PolicyRule{});
    CHECK(spec(R"({"firewall": {"egress": {}}})").firewall.egress == Policy{.fallback = Action::deny});
    CHECK(spec("{}").firewall.empty());
}

TEST_CASE("a wrong policy is refused with its field", "[model][policy]") {
    CHECK(refused(ingress({{"to", json::object()}})) == "unknown_field /firewall/ingress/rules/0/to");
    CHECK(refused(ingress({{"from", json::object()}})) == "invalid_value /firewall/ingress/rules/0/from");
    CHECK(refused(ingress({{"from", {{"jail", "a"}, {"label", "b"}}}})) ==
          "invalid_value /firewall/ingress/rules/0/from");
    CHECK(refused(ingress({{"from", {{"jail", "a.b"}}}})) == "invalid_name /firewall/ingress/rules/0/from/jail");
    CHECK(refused(ingress({{"from", {{"label", "=v"}}}})) == "invalid_value /firewall/ingress/rules/0/from/label");
    CHECK(refused(ingress({{"from", {{"cidr", "10.0.0.1/8"}}}})) ==
          "invalid_prefix /firewall/ingress/rules/0/from/cidr");
    CHECK(refused(ingress({{"protocol", "icmp"}, {"ports", {80}}})) == "invalid_value /firewall/ingress/rules/0/ports");
    CHECK(refused(ingress({{"ports", {"x"}}})) == "invalid_port /firewall/ingress/rules/0/ports/0");
    CHECK(refused(ingress({{"action", "reject"}})) == "invalid_value /firewall/ingress/rules/0/action");
    CHECK(refused({{"firewall", {{"ingress", {{"default", "drop"}}}}}}) == "invalid_value /firewall/ingress/default");
    CHECK(refused({{"firewall", {{"forward", json::object()}}}}) == "unknown_field /firewall/forward");
}

TEST_CASE("the sizes of policies and publish lists are bounded", "[model][policy][publish]") {
    json entries = json::array();
    for (std::size_t port = 1; port <= PolicyLimits::publish; ++port) entries.push_back({{"host_port", port}});
    CHECK(parse_spec({{"publish", entries}}));
    entries.push_back({{"host_port", 6000}});
    CHECK(refused({{"publish", entries}}) == "too_many /publish");

    CHECK(parse_spec(published({{"host_port", "1-256"}, {"jail_port", "2-257"}})));
    CHECK(refused(published({{"host_port", "1-257"}, {"jail_port", "2-258"}})) == "too_many /publish/0/host_port");
    CHECK(parse_spec(published({{"host_port", "1-65535"}})));

    const auto rules = [](std::size_t count) {
        return json{{"firewall", {{"egress", {{"rules", many(count, json::object())}}}}}};
    };
    CHECK(parse_spec(rules(PolicyLimits::rules)));
    CHECK(refused(rules(PolicyLimits::rules + 1)) == "too_many /firewall/egress/rules");
    CHECK(parse_spec(ingress({{"ports", many(PolicyLimits::ports, 1)}})));
    CHECK(refused(ingress({{"ports", many(PolicyLimits::ports + 1, 1)}})) ==
          "too_many /firewall/ingress/rules/0/ports");
    const std::string longest =
        std::string(SpecLimits::label_bytes, 'k') + "=" + std::string(SpecLimits::label_bytes, 'v');
    CHECK(parse_spec(ingress({{"from", {{"label", longest}}}})));
    CHECK(refused(ingress({{"from", {{"label", longest + "v"}}}})) == "too_long /firewall/ingress/rules/0/from/label");
}

TEST_CASE("policies and published ports change on a running jail", "[model][policy][publish][patch]") {
    const auto before = spec(R"({"firewall": {"ingress": {"rules": [{}]}, "egress": {}}})");
    const auto after = value_of(merge_patch(
        before, parsed(R"({"publish": [{"host_port": 80}], "firewall": {"ingress": {"default": "allow"}}})")));
    CHECK(after.firewall.ingress->fallback == Action::allow);
    CHECK(after.firewall.ingress->rules == before.firewall.ingress->rules);
    CHECK(restart_fields_changed(before, after).empty());
    const auto none = value_of(merge_patch(after, parsed(R"({"publish": null, "firewall": {"ingress": null}})")));
    CHECK(none.publish.empty());
    CHECK_FALSE(none.firewall.ingress.has_value());
    CHECK(none.firewall.egress.has_value());
}
