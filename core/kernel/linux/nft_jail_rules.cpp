#include "core/kernel/linux/nft_jail_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/kernel/names.h"

namespace jaild::kernel::nft {
namespace {

using model::Action;
using model::PortRange;
using model::Protocol;

// nft(8), "Standard priority names", by number: see nft_rules.cpp.
constexpr int kGuard = -300;
constexpr int kDestinationNat = -100;
constexpr int kPolicy = 0;
constexpr int kHairpinNat = 100;

constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

/// What is needed before there is anybody to talk to (RFC 4861, RFC 3810).
constexpr std::string_view kNeighbours =
    "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, nd-router-solicit, nd-router-advert, "
    "nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept";
constexpr std::string_view kEstablished = "ct state established,related accept";

/// FNV-1a (draft-eastlake-fnv); not a secret.
std::uint64_t fnv(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return value;
}

char digit(Family family) {
    return family == Family::ipv4 ? '4' : '6';
}
std::string_view ip(Family family) {
    return family == Family::ipv4 ? "ip" : "ip6";
}

/// A rule under construction: what it does, and what it counts for ("in:rule:2"; "-": nothing).
struct Line {
    std::string text;
    std::string label = "-";
};

Chain chain_of(const std::string& mark, std::string name, const std::vector<Line>& lines) {
    Chain chain{.name = std::move(name), .type = {}, .hook = {}, .priority = 0, .rules = {}, .comments = {}};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto& line = lines[i];
        chain.rules.push_back(line.text);
        chain.comments.push_back(
            fmt::format("{} {} {}/{} {:016x}", mark, line.label, i + 1, lines.size(), fnv(line.text)));
    }
    return chain;
}

Chain base_chain(Chain chain, std::string type, std::string hook, int priority) {
    chain.type = std::move(type);
    chain.hook = std::move(hook);
    chain.priority = priority;
    return chain;
}

std::vector<std::string> addresses_of(const JailRules& rules, Family family) {
    std::vector<std::string> all;
    for (const auto& endpoint : rules.endpoints)
        for (const auto& address : endpoint.addresses)
            if (address.family == family) all.push_back(address.to_string());
    return all;
}

/// Two intervals of a set must not overlap.
std::string ports_text(std::vector<PortRange> ports) {
    std::ranges::sort(ports);
    std::vector<PortRange> merged;
    for (const auto& one : ports) {
        if (!merged.empty() && one.first <= merged.back().last)
            merged.back().last = std::max(merged.back().last, one.last);
        else
            merged.push_back(one);
    }
    std::vector<std::string> texts;
    for (const auto& one : merged) texts.push_back(one.to_string());
    return texts.size() == 1 ? texts.front() : fmt::format("{{ {} }}", fmt::join(texts, ", "));
}

std::string protocol_text(const std::optional<Protocol>& protocol, const std::vector<PortRange>& ports) {
    if (protocol == Protocol::icmp) return "meta l4proto { icmp, ipv6-icmp } ";
    if (ports.empty()) return protocol ? fmt::format("meta l4proto {} ", model::to_string(*protocol)) : std::string();
    if (protocol) return fmt::format("{} dport {} ", model::to_string(*protocol), ports_text(ports));
    return fmt::format("meta l4proto {{ tcp, udp }} th dport {} ", ports_text(ports));
}

/// Whom it is about: one text for each family where it names any.
std::vector<std::string> peer_texts(const FilterRule& rule, std::string_view side) {
    if (const auto* group = std::get_if<std::string>(&rule.peer)) {
        std::vector<std::string> both;
        for (const Family family : kFamilies)
            both.push_back(fmt::format("{} {} @{} ", ip(family), side, set_name(*group, family)));
        return both;
    }
    if (const auto* prefix = std::get_if<Prefix>(&rule.peer)) {
        const auto family = prefix->address.family;
        if (prefix->length == 0) return {family == Family::ipv4 ? "meta nfproto ipv4 " : "meta nfproto ipv6 "};
        return {fmt::format("{} {} {} ", ip(family), side, prefix->to_string())};
    }
    return {std::string()};
}

/// Ingress is the last word, egress is not: the receiver is asked too.
std::string verdict(Action action, bool ingress) {
    if (action == Action::deny) return "counter drop";
    return ingress ? "counter accept" : "counter return";
}

void add_own(const JailRules& rules, std::string_view side, std::string_view pass, std::vector<Line>& lines) {
    for (const Family family : kFamilies)
        if (const auto own = addresses_of(rules, family); !own.empty())
            lines.push_back({fmt::format("{} {} {{ {} }} {}", ip(family), side, fmt::join(own, ", "), pass)});
}

void add_rules(const Filter& filter, bool ingress, std::vector<Line>& lines) {
    for (std::size_t i = 0; i < filter.rules.size(); ++i) {
        const auto& rule = filter.rules[i];
        for (const auto& peer : peer_texts(rule, ingress ? "saddr" : "daddr"))
            lines.push_back({peer + protocol_text(rule.protocol, rule.ports) + verdict(rule.action, ingress),
                             fmt::format("{}:rule:{}", ingress ? "in" : "out", i)});
    }
}

std::vector<Line> ingress_lines(const JailRules& rules) {
    std::vector<Line> lines;
    add_own(rules, "saddr", "accept", lines);
    add_rules(*rules.ingress, true, lines);
    for (std::size_t i = 0; i < rules.publish.size(); ++i) {
        const auto& one = rules.publish[i];
        const auto family = one.host_address ? fmt::format("meta nfproto ipv{} ", digit(one.host_address->family)) : "";
        lines.push_back({family + protocol_text(one.protocol, {one.jail_port}) + verdict(Action::allow, true),
                         fmt::format("in:published:{}", i)});
    }
    lines.push_back({verdict(rules.ingress->fallback, true), "in:default:0"});
    return lines;
}

std::vector<Line> egress_lines(const JailRules& rules) {
    std::vector<Line> lines;
    add_own(rules, "daddr", "return", lines);
    if (std::ranges::any_of(rules.endpoints, &Endpoint::dynamic)) {
        lines.push_back({"udp sport 68 udp dport 67 return"});
        lines.push_back({"udp sport 546 udp dport 547 return"});
    }
    add_rules(*rules.egress, false, lines);
    lines.push_back({verdict(rules.egress->fallback, false), "out:default:0"});
    return lines;
}

/// Where a published port leads, in one family; empty when the jail has no address of it.
std::string translation(const JailRules& rules, const model::Publish& publish, Family family) {
    const auto own = addresses_of(rules, family);
    if (own.empty() || (publish.host_address && publish.host_address->family != family)) return {};
    const auto& address = own.front();
    const bool six = family == Family::ipv6;
    const auto where = publish.host_address ? fmt::format("{} daddr {}", ip(family), publish.host_address->to_string())
                                            : fmt::format("{} daddr != {} fib daddr type local", ip(family),
                                                          six ? "::1" : "127.0.0.0/8");
    const auto match =
        fmt::format("{} {} dport {}", where, model::to_string(publish.protocol), publish.host_port.to_string());
    if (publish.host_port == publish.jail_port) return fmt::format("{} dnat {} to {}", match, ip(family), address);
    if (publish.host_port.size() == 1) {
        const auto brackets = six ? fmt::format("[{}]", address) : address;
        return fmt::format("{} dnat {} to {}:{}", match, ip(family), brackets, publish.jail_port.to_string());
    }
    std::vector<std::string> each;
    for (unsigned i = 0; i < publish.host_port.size(); ++i)
        each.push_back(fmt::format("{} : {} . {}", publish.host_port.first + i, address, publish.jail_port.first + i));
    return fmt::format("{} dnat {} to {} dport map {{ {} }}", match, ip(family), model::to_string(publish.protocol),
                       fmt::join(each, ", "));
}

/// A jail that reaches itself by a port of the host must not get its own address as the sender's.
std::vector<Line> hairpin_lines(const JailRules& rules) {
    std::vector<Line> lines;
    for (const auto& endpoint : rules.endpoints)
        for (const auto& gateway : endpoint.gateways)
            for (const auto& own : endpoint.addresses)
                if (own.family == gateway.family)
                    lines.push_back({fmt::format("{0} saddr {1} {0} daddr {1} ct status dnat snat {0} to {2}",
                                                 ip(own.family), own.to_string(), gateway.to_string())});
    return lines;
}

void add_publish(const JailRules& rules, const std::string& mark, const std::string& name, JailText& text) {
    std::vector<Line> lines;
    for (const auto& publish : rules.publish)
        for (const Family family : kFamilies)
            if (auto line = translation(rules, publish, family); !line.empty()) lines.push_back({std::move(line)});
    if (lines.empty()) return;
    text.inet.push_back(base_chain(chain_of(mark, name + "nat", lines), "nat", "prerouting", kDestinationNat));
    text.inet.push_back(base_chain(chain_of(mark, name + "nat-host", lines), "nat", "output", kDestinationNat));
    text.inet.push_back(
        base_chain(chain_of(mark, name + "hairpin", hairpin_lines(rules)), "nat", "postrouting", kHairpinNat));
}

std::string host_end(const InstanceId& instance, JailId jail, unsigned index) {
    return pair_name(instance, {.jail = jail, .index = index}, PairEnd::host);
}

std::string prefix_of(JailId jail) {
    return fmt::format("j{}-", jail.value);
}

/// The owner of a neighbour advertisement's target is at byte 8 of ICMPv6 (RFC 4861 §4.4).
void add_neighbour_guard(const std::vector<std::string>& own, std::vector<Line>& lines) {
    std::string strangers;
    for (const auto& address : own) {
        const auto parsed = IpAddress::parse(address);
        std::string number;
        for (const auto byte : parsed->bytes) number += fmt::format("{:02x}", byte);
        strangers += fmt::format("@th,64,128 != 0x{} ", number);
    }
    // fe80::/10, by its first two bytes' upper ten bits.
    lines.push_back({fmt::format("icmpv6 type nd-neighbor-advert {}@th,64,10 != 0x3fa drop", strangers)});
}

Chain guard_chain(const std::string& mark, const std::string& name, const Endpoint& endpoint) {
    std::vector<Line> lines;
    if (!endpoint.dynamic) {
        std::vector<std::string> four;
        std::vector<std::string> six;
        for (const auto& address : endpoint.addresses)
            (address.family == Family::ipv4 ? four : six).push_back(address.to_string());
        auto probes = four;
        probes.emplace_back("0.0.0.0");  // RFC 5227 §2.1.1
        lines.push_back({fmt::format("ether type arp arp saddr ip != {{ {} }} drop", fmt::join(probes, ", "))});
        lines.push_back(
            {four.empty() ? "ether type ip drop" : fmt::format("ip saddr != {{ {} }} drop", fmt::join(four, ", "))});
        auto local = six;
        local.insert(local.end(), {"::", "fe80::/10"});
        lines.push_back({fmt::format("ip6 saddr != {{ {} }} drop", fmt::join(local, ", "))});
        add_neighbour_guard(six, lines);
    }
    // A frame of another kind can carry a packet that nobody looks into.
    lines.push_back({"ether type != { ip, arp, ip6 } drop"});
    return chain_of(mark, name, lines);
}

void add_entries(const JailRules& rules, const std::string& name, JailText& text) {
    for (const Family family : kFamilies) {
        for (const auto& address : addresses_of(rules, family)) {
            const auto map = [&](std::string_view which) { return fmt::format("{}{}", which, digit(family)); };
            if (rules.egress) text.entries.push_back({map("egress"), address, name + "out"});
            if (!rules.ingress) continue;
            text.entries.push_back({map("ingress"), address, name + "in"});
            text.entries.push_back({map("decided"), address, {}});
        }
    }
}

std::string element_text(const Entry& entry, const std::string& key) {
    return entry.target.empty() ? key : fmt::format("{} : jump {}", key, entry.target);
}

std::string key_text(const Entry& entry, bool interfaces) {
    return interfaces ? fmt::format("\"{}\"", entry.key) : entry.key;
}

std::string chain_commands(std::string_view table, const std::vector<Chain>& chains) {
    std::string commands;
    for (const auto& chain : chains) {
        const auto base = chain.type.empty() ? std::string()
                                             : fmt::format(" {{ type {} hook {} priority {}; policy accept; }}",
                                                           chain.type, chain.hook, chain.priority);
        commands += fmt::format("add chain {0} {1}{2}\nflush chain {0} {1}\n", table, chain.name, base);
        for (std::size_t i = 0; i < chain.rules.size(); ++i)
            commands +=
                fmt::format("add rule {} {} {} comment \"{}\"\n", table, chain.name, chain.rules[i], chain.comments[i]);
    }
    return commands;
}

std::string entry_commands(std::string_view table, const std::vector<Entry>& entries, std::string_view verb,
                           bool interfaces) {
    std::string commands;
    for (const auto& entry : entries)
        commands += fmt::format("{} element {} {} {{ {} }}\n", verb, table, entry.name,
                                element_text(entry, key_text(entry, interfaces)));
    return commands;
}

std::string inet(const InstanceId& instance) {
    return "inet " + nft_table(instance);
}
std::string bridge(const InstanceId& instance) {
    return "bridge " + nft_table(instance);
}

}  // namespace

std::string set_name(const std::string& key, Family family) {
    std::string readable;
    for (const char c : key.substr(0, 24)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        readable += plain ? c : '_';
    }
    return fmt::format("{}-{:016x}-{}", readable, fnv(key), digit(family));
}

std::set<std::string> members_of(const Group& group, Family family) {
    std::set<std::string> texts;
    for (const auto& member : group.members) {
        if (member.address.family != family) continue;
        texts.insert(member.length == member.address.bits() ? member.address.to_string() : member.to_string());
    }
    return texts;
}

JailText jail_text(const InstanceId& instance, const JailRules& rules) {
    JailText text;
    const auto mark = jail_mark(instance, rules.jail);
    const auto name = prefix_of(rules.jail);
    if (rules.ingress) text.inet.push_back(chain_of(mark, name + "in", ingress_lines(rules)));
    if (rules.egress) text.inet.push_back(chain_of(mark, name + "out", egress_lines(rules)));
    add_publish(rules, mark, name, text);
    add_entries(rules, name, text);
    for (const auto& endpoint : rules.endpoints) {
        const auto guard = fmt::format("{}guard{}", name, endpoint.index);
        text.bridge.push_back(guard_chain(mark, guard, endpoint));
        text.ports.push_back({"ports", host_end(instance, rules.jail, endpoint.index), guard});
    }
    for (const auto& group : rules.groups)
        for (const Family family : kFamilies) text.sets[set_name(group.key, family)] = members_of(group, family);
    return text;
}

std::vector<Chain> shared_inet(const InstanceId& instance) {
    const auto mark = nft_table(instance);
    const std::vector<Line> forward{{std::string(kEstablished)}, {std::string(kNeighbours)},
                                    {"ip saddr vmap @egress4"},  {"ip6 saddr vmap @egress6"},
                                    {"ip daddr vmap @ingress4"}, {"ip6 daddr vmap @ingress6"}};
    const std::vector<Line> input(forward.begin(), forward.begin() + 4);
    return {base_chain(chain_of(mark, "jails", forward), "filter", "forward", kPolicy),
            base_chain(chain_of(mark, "jails-to-host", input), "filter", "input", kPolicy)};
}

std::vector<Chain> shared_bridge(const InstanceId& instance) {
    const auto mark = nft_table(instance);
    return {base_chain(chain_of(mark, "guard", {{"iifname vmap @ports"}}), "filter", "prerouting", kGuard)};
}

std::string shared_commands(const InstanceId& instance) {
    const auto table = inet(instance);
    std::string commands = fmt::format("add table {}\n", table);
    for (const Family family : kFamilies) {
        const auto type = family == Family::ipv4 ? "ipv4_addr" : "ipv6_addr";
        for (const auto* map : {"egress", "ingress"})
            commands += fmt::format("add map {} {}{} {{ type {} : verdict; }}\n", table, map, digit(family), type);
        commands += fmt::format("add set {} decided{} {{ type {}; }}\n", table, digit(family), type);
    }
    commands += chain_commands(table, shared_inet(instance));
    commands += fmt::format("add table {0}\nadd map {0} ports {{ type ifname : verdict; }}\n", bridge(instance));
    return commands + chain_commands(bridge(instance), shared_bridge(instance));
}

std::string set_commands(const InstanceId& instance, const std::string& set, const std::set<std::string>& members) {
    const auto type = set.ends_with('4') ? "ipv4_addr" : "ipv6_addr";
    const auto table = inet(instance);
    auto commands = fmt::format("add set {0} {1} {{ type {2};{3} }}\nflush set {0} {1}\n", table, set, type,
                                set.starts_with("network_") ? " flags interval;" : "");
    if (!members.empty()) commands += fmt::format("add element {} {} {{ {} }}\n", table, set, fmt::join(members, ", "));
    return commands;
}

std::string load_commands(const InstanceId& instance, const JailText& wanted, const Stale& stale) {
    const auto table = inet(instance);
    std::string commands;
    for (const auto& [name, members] : wanted.sets) commands += set_commands(instance, name, members);
    commands += entry_commands(table, stale.entries, "delete", false);
    commands += entry_commands(bridge(instance), stale.ports, "delete", true);
    commands += chain_commands(table, wanted.inet);
    commands += chain_commands(bridge(instance), wanted.bridge);
    commands += entry_commands(table, wanted.entries, "add", false);
    commands += entry_commands(bridge(instance), wanted.ports, "add", true);
    for (const auto& chain : stale.inet_chains) commands += fmt::format("flush chain {0} {1}\n", table, chain);
    for (const auto& chain : stale.inet_chains) commands += fmt::format("delete chain {0} {1}\n", table, chain);
    for (const auto& chain : stale.bridge_chains)
        commands += fmt::format("flush chain {0} {1}\ndelete chain {0} {1}\n", bridge(instance), chain);
    return commands;
}

JailId jail_of(std::string_view chain) {
    if (!chain.starts_with('j')) return {};
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(chain.data() + 1, chain.data() + chain.size(), id);
    if (error != std::errc{} || id <= 0 || end == chain.data() + chain.size() || *end != '-') return {};
    return JailId{id};
}

std::optional<RuleCount> counted(std::string_view comment) {
    const auto mark = comment.find(' ');
    if (mark == std::string_view::npos) return std::nullopt;
    auto label = comment.substr(mark + 1, comment.find(' ', mark + 1) - mark - 1);
    RuleCount count;
    count.ingress = label.starts_with("in:");
    if (!count.ingress && !label.starts_with("out:")) return std::nullopt;
    label.remove_prefix(label.find(':') + 1);
    const auto colon = label.find(':');
    const auto place = label.substr(0, colon);
    using enum RuleCount::Place;
    count.place = place == "rule" ? rule : place == "published" ? published : fallback;
    const auto number = label.substr(colon + 1);
    std::from_chars(number.data(), number.data() + number.size(), count.index);
    return count;
}

}  // namespace jaild::kernel::nft
