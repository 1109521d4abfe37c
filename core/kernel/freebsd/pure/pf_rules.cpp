#include "core/kernel/freebsd/pure/pf_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/kernel/freebsd/pure/pf_text.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd::pf {

namespace {

struct AnchorLine {
    std::string_view text;
    bool translation;
};
constexpr std::array kAnchorLines = std::to_array<AnchorLine>(
    {{R"(nat-anchor "jaild/*")", true}, {R"(rdr-anchor "jaild/*")", true}, {R"(anchor "jaild/*")", false}});

/// ":0" leaves out aliases, and of IPv6 the link-local addresses; the parentheses follow changes of address.
std::vector<std::string> nat_rules(const std::string& bridge, const model::Network& network,
                                   const std::vector<Uplink>& uplinks) {
    std::vector<std::string> rules;
    const auto add = [&](const Uplink& uplink, std::string_view family, const Prefix& subnet) {
        const auto& address = subnet.address.family == Family::ipv4 ? network.nat.address4 : network.nat.address6;
        const auto target = address ? address->to_string() : fmt::format("({}:0)", uplink.name);
        rules.push_back(
            fmt::format("nat on {} {} from {} to any -> {}", uplink.name, family, subnet.to_string(), target));
    };
    for (const auto& uplink : uplinks) {
        if (!is_plain(uplink.name) || uplink.name == bridge) continue;
        if (!network.nat.interface.empty() && network.nat.interface != uplink.name) continue;
        if (uplink.ipv4 && network.translates(Family::ipv4)) add(uplink, "inet", *network.ipv4);
        if (uplink.ipv6 && network.translates(Family::ipv6)) add(uplink, "inet6", *network.ipv6);
    }
    return rules;
}

/// Neighbour discovery is not only between addresses of the subnet (RFC 4861 §4.3, §7.2), and no router passes it on.
void add_neighbour_discovery(std::vector<std::string>& rules, const std::string& bridge) {
    rules.push_back(fmt::format("pass quick on {} inet6 proto ipv6-icmp from fe80::/10 to any no state", bridge));
    rules.push_back(fmt::format("pass in quick on {} inet6 proto ipv6-icmp from :: to ff00::/8 no state", bridge));
}

/// What the bridge keeps apart must not come together by a detour over this host.
void add_isolation(std::vector<std::string>& rules, const std::string& bridge, std::string_view family,
                   const model::Network& network, Family which) {
    if (!network.isolated || !network.is_gateway(which)) return;
    const auto& subnet = *network.subnet(which);
    const auto others = fmt::format("{} - {}", subnet.nth(2).to_string(), subnet.last().to_string());
    rules.push_back(fmt::format("block drop in quick on {} {} from any to {}", bridge, family, others));
    rules.push_back(fmt::format("block drop out quick on {0} {1} from {2} to {2}", bridge, family, others));
}

/// Somebody else on the uplink is the gateway: what comes from elsewhere comes over the bridge, and if pfil_bridge is
/// on, it is asked there.
bool goes_by_uplink(const model::Network& network, Family family) {
    return !network.uplink.empty() && network.subnet(family) && !network.is_gateway(family);
}

/// A packet that comes out of the bridge carries an address of the network; one that goes into it from elsewhere
/// belongs to a state, that is, to a connection that a jail began.
void add_policy(std::vector<std::string>& rules, const std::string& bridge, std::string_view family,
                const std::optional<Prefix>& network, bool bridged) {
    if (bridged) return;
    if (!network) {
        rules.push_back(fmt::format("block drop in quick on {} {} from any to any", bridge, family));
        return;
    }
    const auto subnet = network->to_string();
    rules.push_back(fmt::format("block drop in quick on {} {} from ! {} to any", bridge, family, subnet));
    rules.push_back(fmt::format("block drop out quick on {0} {1} from ! {2} to {2}", bridge, family, subnet));
    rules.push_back(fmt::format("pass in on {} {} from {} to any flags S/SA keep state", bridge, family, subnet));
    // Within the network a connection is seen half or twice, as the bridge's pfil sysctls are: no state.
    rules.push_back(fmt::format("pass on {0} {1} from {2} to {2} no state", bridge, family, subnet));
}

std::string label(const std::string& mark, std::size_t place, std::size_t count, std::string_view rule) {
    return fmt::format(R"( label "{} {}/{} {:016x}")", mark, place, count, hash(rule));
}

/// ` label "…"` of a rule of ours; nothing in one without.
std::string_view label_of(std::string_view rule) {
    const auto at = rule.find(" label \"");
    if (at == std::string_view::npos) return {};
    const auto end = rule.find('"', at + 8);
    return end == std::string_view::npos ? std::string_view{} : rule.substr(at, end + 1 - at);
}

bool same_nat(std::string_view shown, const std::string& expected) {
    // What follows the address are pool options that we did not ask for and a release may add.
    return shown == expected || shown.starts_with(expected + " ");
}

}  // namespace

Rules network_rules(const InstanceId& instance, const model::Network& network, const std::vector<Uplink>& uplinks) {
    const bool own = network.bridge.empty();
    const auto bridge = own ? bridge_name(instance, network.id) : network.bridge;
    Rules rules{.nat = nat_rules(bridge, network, uplinks), .filter = {}};
    if (!own) return rules;
    add_isolation(rules.filter, bridge, "inet", network, Family::ipv4);
    add_policy(rules.filter, bridge, "inet", network.ipv4, goes_by_uplink(network, Family::ipv4));
    add_neighbour_discovery(rules.filter, bridge);
    add_isolation(rules.filter, bridge, "inet6", network, Family::ipv6);
    add_policy(rules.filter, bridge, "inet6", network.ipv6, goes_by_uplink(network, Family::ipv6));
    const auto mark = network_mark(instance, network.id);
    for (std::size_t i = 0; i < rules.filter.size(); ++i) {
        auto& rule = rules.filter[i];
        rule += label(mark, i + 1, rules.filter.size(), rule);
    }
    return rules;
}

std::string anchor_text(const Rules& rules) {
    std::string text;
    for (const auto& rule : rules.nat) text += rule + "\n";
    for (const auto& rule : rules.filter) text += rule + "\n";
    return text;
}

bool shows(const Rules& rules, std::string_view nat, std::string_view filter) {
    return std::ranges::equal(lines(nat), rules.nat, same_nat) &&
           std::ranges::equal(lines(filter), rules.filter, [](std::string_view shown, std::string_view expected) {
               return label_of(shown) == label_of(expected);
           });
}

std::vector<NetworkId> networks(const InstanceId& instance, std::string_view anchors) {
    std::vector<NetworkId> found;
    for (const auto line : lines(anchors)) {
        const auto dash = line.rfind("-n");
        if (dash == std::string_view::npos) continue;
        NetworkId id;
        const auto [end, failed] = std::from_chars(line.data() + dash + 2, line.data() + line.size(), id.value);
        if (failed != std::errc{} || id.value <= 0 || line != network_anchor(instance, id)) continue;
        if (std::ranges::find(found, id) == found.end()) found.push_back(id);
    }
    return found;
}

bool is_enabled(std::string_view info) {
    return std::ranges::any_of(lines(info), [](std::string_view line) { return line.starts_with("Status: Enabled"); });
}

std::vector<std::string> missing_lines(std::string_view nat, std::string_view filter) {
    std::vector<std::string> missing;
    for (const auto& wanted : kAnchorLines) {
        const bool there = std::ranges::any_of(lines(wanted.translation ? nat : filter), [&](std::string_view line) {
            return line == wanted.text || line == std::string(wanted.text) + " all";
        });
        if (!there) missing.emplace_back(wanted.text);
    }
    return missing;
}

bool is_busy(std::string_view error_output) {
    return error_output.find("Device busy") != std::string_view::npos;
}

}  // namespace jaild::kernel::freebsd::pf
