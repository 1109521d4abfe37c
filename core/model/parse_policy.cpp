#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/ascii.h"
#include "core/model/fields.h"
#include "core/model/name.h"
#include "core/model/spec_parts.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::size_t kPolicyWordBytes = 64;
constexpr std::int64_t kLastPort = 65'535;

Error bad_port(const std::string& at) {
    return Error::invalid("invalid_port", at, "a port is 1 to 65535, a range of them \"8000-8010\"");
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1 || number > kLastPort)
        return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

Result<PortRange> parse_ports(const json& value, const std::string& at) {
    if (value.is_number_integer()) {
        const auto number = value.get<std::int64_t>();
        if (number < 1 || number > kLastPort) return std::unexpected(bad_port(at));
        const auto port = static_cast<std::uint16_t>(number);
        return PortRange{.first = port, .last = port};
    }
    if (!value.is_string()) return std::unexpected(wrong_type(at, "a port, or a range \"8000-8010\""));
    const std::string_view text = value.get_ref<const std::string&>();
    const auto dash = text.find('-');
    const auto first = port_of(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : port_of(text.substr(dash + 1));
    if (!first || !last || *first > *last) return std::unexpected(bad_port(at));
    return PortRange{.first = *first, .last = *last};
}

json to_json(const PortRange& ports) {
    if (ports.first == ports.last) return ports.first;
    return ports.to_string();
}

Result<Protocol> parse_protocol(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kPolicyWordBytes);
    if (!text) return std::unexpected(text.error());
    for (const Protocol one : {Protocol::tcp, Protocol::udp, Protocol::icmp})
        if (*text == to_string(one)) return one;
    return std::unexpected(Error::invalid("invalid_value", at, "one of \"tcp\", \"udp\" and \"icmp\""));
}

Result<Action> parse_action(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kPolicyWordBytes);
    if (!text) return std::unexpected(text.error());
    if (*text == "allow") return Action::allow;
    if (*text == "deny") return Action::deny;
    return std::unexpected(Error::invalid("invalid_value", at, "must be \"allow\" or \"deny\""));
}

/// Puts what `parse` answers into `target`.
template <class T, class F>
void read_into(Fields& fields, std::string_view key, T& target, F parse) {
    fields.read(key, [&](const json& value, const std::string& at) -> Result<void> {
        auto parsed = parse(value, at);
        if (!parsed) return std::unexpected(std::move(parsed.error()));
        target = *std::move(parsed);
        return {};
    });
}

Result<Publish> parse_one_publish(const json& value, const std::string& at) {
    Publish publish;
    Fields fields(value, at);
    fields.require("host_port");
    read_into(fields, "host_port", publish.host_port, parse_ports);
    publish.jail_port = publish.host_port;
    read_into(fields, "jail_port", publish.jail_port, parse_ports);
    read_into(fields, "protocol", publish.protocol, parse_protocol);
    fields.read("host_address", [&](const json& address, const std::string& where) -> Result<void> {
        const auto text = read_text(address, where, kPolicyWordBytes);
        if (!text) return std::unexpected(text.error());
        auto parsed = IpAddress::parse(*text);
        if (!parsed) parsed.error().field = where;
        if (!parsed) return std::unexpected(parsed.error());
        publish.host_address = *parsed;
        return {};
    });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    if (publish.protocol == Protocol::icmp)
        return std::unexpected(Error::invalid("invalid_value", fields.at("protocol"), "icmp has no ports"));
    if (publish.jail_port.size() != publish.host_port.size())
        return std::unexpected(
            Error::invalid("invalid_value", fields.at("jail_port"), "a range leads to one of the same size"));
    if (publish.jail_port != publish.host_port && publish.host_port.size() > PolicyLimits::shifted_ports)
        return std::unexpected(too_many(fields.at("host_port"), PolicyLimits::shifted_ports));
    return publish;
}

Result<Peer> parse_label_peer(const json& value, const std::string& at) {
    auto text = read_text(value, at, SpecLimits::label_bytes * 2 + 1);
    if (!text) return std::unexpected(text.error());
    PeerLabel label{.key = *text};
    if (const auto sign = text->find('='); sign != std::string::npos) {
        label.key = text->substr(0, sign);
        label.value = text->substr(sign + 1);
    }
    if (auto good = check_label_key(label.key, at); !good) return std::unexpected(good.error());
    if (auto good = check_text(label.key, SpecLimits::label_bytes, at); !good) return std::unexpected(good.error());
    if (label.value)
        if (auto good = check_text(*label.value, SpecLimits::label_bytes, at); !good)
            return std::unexpected(good.error());
    return label;
}

Result<std::string> parse_peer_name(const json& value, const std::string& at) {
    if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
    const auto name = Name::parse(value.get_ref<const std::string&>(), at);
    if (!name) return std::unexpected(name.error());
    return name->text();
}

Result<Peer> parse_cidr(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kPolicyWordBytes);
    if (!text) return std::unexpected(text.error());
    auto address = IpAddress::parse(*text);
    if (address) return Prefix{.address = *address, .length = address->bits()};
    auto prefix = Prefix::parse(*text);
    if (!prefix) prefix.error().field = at;
    if (!prefix) return std::unexpected(prefix.error());
    if (*prefix != prefix->network())
        return std::unexpected(Error::invalid(
            "invalid_prefix", at, "has bits behind its length: " + prefix->network().to_string() + " is the network"));
    return *prefix;
}

Result<Peer> parse_peer(const json& value, const std::string& at) {
    Fields fields(value, at);
    std::vector<Peer> peers;
    const auto read = [&](std::string_view key, auto parse) {
        fields.read(key, [&](const json& one, const std::string& where) -> Result<void> {
            auto parsed = parse(one, where);
            if (!parsed) return std::unexpected(std::move(parsed.error()));
            peers.push_back(*std::move(parsed));
            return {};
        });
    };
    read("jail", [](const json& one, const std::string& where) -> Result<Peer> {
        auto name = parse_peer_name(one, where);
        if (!name) return std::unexpected(std::move(name.error()));
        return PeerJail{*std::move(name)};
    });
    read("label", parse_label_peer);
    read("network", [](const json& one, const std::string& where) -> Result<Peer> {
        auto name = parse_peer_name(one, where);
        if (!name) return std::unexpected(std::move(name.error()));
        return PeerNetwork{*std::move(name)};
    });
    read("cidr", parse_cidr);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    if (peers.size() != 1)
        return std::unexpected(
            Error::invalid("invalid_value", at, "exactly one of \"jail\", \"label\", \"network\" and \"cidr\""));
    return peers.front();
}

enum class Direction { ingress, egress };

std::string_view peer_key(Direction direction) {
    return direction == Direction::ingress ? "from" : "to";
}

Result<PolicyRule> parse_rule(const json& value, const std::string& at, Direction direction) {
    PolicyRule rule;
    Fields fields(value, at);
    read_into(fields, peer_key(direction), rule.peer, parse_peer);
    read_into(fields, "protocol", rule.protocol, parse_protocol);
    fields.each("ports", PolicyLimits::ports, [&](const json& ports, const std::string& where) -> Result<void> {
        const auto parsed = parse_ports(ports, where);
        if (!parsed) return std::unexpected(parsed.error());
        rule.ports.push_back(*parsed);
        return {};
    });
    read_into(fields, "action", rule.action, parse_action);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    if (rule.protocol == Protocol::icmp && !rule.ports.empty())
        return std::unexpected(Error::invalid("invalid_value", fields.at("ports"), "icmp has no ports"));
    return rule;
}

Result<Policy> parse_policy(const json& value, const std::string& at, Direction direction) {
    Policy policy;
    Fields fields(value, at);
    read_into(fields, "default", policy.fallback, parse_action);
    fields.each("rules", PolicyLimits::rules, [&](const json& rule, const std::string& where) -> Result<void> {
        auto parsed = parse_rule(rule, where, direction);
        if (!parsed) return std::unexpected(parsed.error());
        policy.rules.push_back(*std::move(parsed));
        return {};
    });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return policy;
}

struct PeerToJson {
    json operator()(const PeerJail& jail) const { return {{"jail", jail.name}}; }
    json operator()(const PeerLabel& label) const {
        return {{"label", label.value ? label.key + "=" + *label.value : label.key}};
    }
    json operator()(const PeerNetwork& network) const { return {{"network", network.name}}; }
    json operator()(const Prefix& cidr) const { return {{"cidr", cidr.to_string()}}; }
};

json to_json(const Policy& policy, Direction direction) {
    json rules = json::array();
    for (const auto& rule : policy.rules) {
        json one{{"action", to_string(rule.action)}};
        if (rule.peer) one[std::string(peer_key(direction))] = std::visit(PeerToJson{}, *rule.peer);
        if (rule.protocol) one["protocol"] = to_string(*rule.protocol);
        for (const auto& ports : rule.ports) one["ports"].push_back(to_json(ports));
        rules.push_back(std::move(one));
    }
    return {{"default", to_string(policy.fallback)}, {"rules", std::move(rules)}};
}

}  // namespace

Result<std::vector<Publish>> parse_publish(const json& value, const std::string& at) {
    std::vector<Publish> all;
    if (!value.is_array()) return std::unexpected(wrong_type(at, "an array"));
    if (value.size() > PolicyLimits::publish) return std::unexpected(too_many(at, PolicyLimits::publish));
    for (std::size_t i = 0; i < value.size(); ++i) {
        auto one = parse_one_publish(value[i], pointer(at, i));
        if (!one) return std::unexpected(one.error());
        for (const auto& other : all)
            if (collide(*one, other))
                return std::unexpected(Error::invalid("invalid_value", pointer(at, i),
                                                      "an earlier entry takes " + other.host_side() + " already"));
        all.push_back(*std::move(one));
    }
    return all;
}

json to_json(const std::vector<Publish>& publish) {
    json all = json::array();
    for (const auto& one : publish) {
        json entry{{"host_port", to_json(one.host_port)},
                   {"jail_port", to_json(one.jail_port)},
                   {"protocol", to_string(one.protocol)}};
        if (one.host_address) entry["host_address"] = one.host_address->to_string();
        all.push_back(std::move(entry));
    }
    return all;
}

Result<FirewallSpec> parse_firewall(const json& value, const std::string& at) {
    FirewallSpec firewall;
    Fields fields(value, at);
    read_into(fields, "ingress", firewall.ingress, [](const json& policy, const std::string& where) {
        return parse_policy(policy, where, Direction::ingress);
    });
    read_into(fields, "egress", firewall.egress, [](const json& policy, const std::string& where) {
        return parse_policy(policy, where, Direction::egress);
    });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return firewall;
}

json to_json(const FirewallSpec& firewall) {
    json result = json::object();
    if (firewall.ingress) result["ingress"] = to_json(*firewall.ingress, Direction::ingress);
    if (firewall.egress) result["egress"] = to_json(*firewall.egress, Direction::egress);
    return result;
}

json to_json(const Peer& peer) {
    return std::visit(PeerToJson{}, peer);
}

}  // namespace jaild::model
