#include "core/kernel/freebsd/pure/pf_jail_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/ascii.h"
#include "core/kernel/freebsd/pure/pf_text.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd::pf {
namespace {

using model::Action;
using model::PortRange;
using model::Protocol;

constexpr std::array kBothFamilies{Family::ipv4, Family::ipv6};
constexpr std::string_view kNobodys = "-";  ///< the label of a rule that is not the user's

std::string_view inet(Family family) {
    return family == Family::ipv4 ? "inet" : "inet6";
}

/// The host's end of that interface of a jail's.
std::string host_end(const InstanceId& instance, JailId jail, unsigned index) {
    return pair_name(instance, {jail, index}, PairEnd::host);
}

std::string bridge_of(const InstanceId& instance, const Endpoint& endpoint) {
    return endpoint.bridge.empty() ? bridge_name(instance, endpoint.network) : endpoint.bridge;
}

std::string own_table(const Endpoint& endpoint) {
    return fmt::format("own{}", endpoint.index);
}
std::string source_table(const Endpoint& endpoint) {
    return fmt::format("source{}", endpoint.index);
}

std::string ports_text(const PortRange& ports) {
    return ports.size() == 1 ? fmt::format("= {}", ports.first) : fmt::format("{}:{}", ports.first, ports.last);
}

/// Where a direction's rules apply, and what says there that a packet is the jail's.
struct Scope {
    std::string interface;
    std::string self;  ///< "<own0>"; "any" where all that passes is the jail's
};

/// Collects filter rules; each is given its label at the end, when their number is known.
class Writer {
public:
    explicit Writer(const JailRules& rules) : rules_(rules) {}

    void add(std::string_view place, std::string text) { lines_.push_back({std::string(place), std::move(text)}); }
    /// A rule that keeps state, or drops.
    void decide(std::string_view place, Action action, const std::string& match, bool tcp = true) {
        if (action == Action::deny)
            add(place, "block drop " + match);
        else
            add(place, fmt::format("pass {}{} keep state", match, tcp ? " flags S/SA" : ""));
    }
    [[nodiscard]] const JailRules& rules() const { return rules_; }
    [[nodiscard]] std::vector<std::string> labelled() const {
        std::vector<std::string> all;
        for (const auto& line : lines_)
            all.push_back(fmt::format(R"({} label "{} {}/{} {:016x}")", line.text, line.place, all.size() + 1,
                                      lines_.size(), hash(line.text)));
        return all;
    }

private:
    struct Line {
        std::string place;
        std::string text;
    };
    const JailRules& rules_;
    std::vector<Line> lines_;
};

/// One direction's packets: "from A to B" with the peer on its side.
std::string between(bool ingress, const std::string& peer, const std::string& self) {
    return ingress ? fmt::format("from {} to {}", peer, self) : fmt::format("from {} to {}", self, peer);
}

// --- before any rule of the user's -----------------------------------------------------------------------------------

/// What is needed before there is anybody to talk to (RFC 4861, RFC 2710, RFC 3810: 143). A jail is no router.
void add_neighbour_discovery(const Scope& scope, Writer& writer) {
    const auto add = [&](std::string_view direction, const std::string& ends, const char* type) {
        writer.add(kNobodys, fmt::format("pass {} quick on {} inet6 proto ipv6-icmp {} icmp6-type {} no state",
                                         direction, scope.interface, ends, type));
    };
    for (const char* type : {"routersol", "neighbrsol", "neighbradv", "listenrep", "listendone", "143"})
        add("in", between(false, "any", scope.self), type);
    for (const char* type : {"routeradv", "neighbrsol", "neighbradv", "listqry"})
        add("out", between(true, "any", scope.self), type);
}

/// RFC 2131, RFC 8415.
void add_dhcp(const std::string& interface, Writer& writer) {
    struct Client {
        Family family;
        int own;
        int servers;
    };
    for (const Client& one : {Client{Family::ipv4, 68, 67}, Client{Family::ipv6, 546, 547}}) {
        writer.add(kNobodys,
                   fmt::format("pass in quick on {} {} proto udp from any port = {} to any port = {} no state",
                               interface, inet(one.family), one.own, one.servers));
        writer.add(kNobodys,
                   fmt::format("pass out quick on {} {} proto udp from any port = {} to any port = {} no state",
                               interface, inet(one.family), one.servers, one.own));
    }
}

/// A packet that carries another's address never enters the bridge: so an address is an identity.
void add_guard(const Endpoint& endpoint, const Scope& end, Writer& writer) {
    // Whoever has no address yet asks whether it is free (RFC 4862 §5.4.2). No table of pf's holds "::".
    for (const char* type : {"neighbrsol", "143"})
        writer.add(kNobodys, fmt::format("pass in quick on {} inet6 proto ipv6-icmp from :: to ff00::/8 icmp6-type {} "
                                         "no state",
                                         end.interface, type));
    for (const Family family : kBothFamilies)
        writer.add(kNobodys, fmt::format("block drop in quick on {} {} from ! <{}> to any", end.interface, inet(family),
                                         source_table(endpoint)));
}

// --- the user's rules ------------------------------------------------------------------------------------------------

/// One line for each protocol and range of ports.
void add_rule(bool ingress, const std::string& place, const FilterRule& rule, const Scope& scope, Writer& writer) {
    std::string peer = "any";
    std::vector<std::string> families{""};
    if (const auto* group = std::get_if<std::string>(&rule.peer)) peer = fmt::format("<{}>", group_table(*group));
    if (const auto* prefix = std::get_if<Prefix>(&rule.peer)) {
        if (prefix->length > 0) peer = prefix->network().to_string();
        families = {fmt::format("{} ", inet(prefix->address.family))};
    } else if (rule.protocol == Protocol::icmp) {
        families = {"inet ", "inet6 "};
    }
    const auto head = fmt::format("{} quick on {} ", ingress ? "out" : "in", scope.interface);
    const auto ends = between(ingress, peer, scope.self);
    for (const auto& family : families) {
        if (rule.protocol == Protocol::icmp) {
            const auto protocol = family == "inet " ? "icmp" : "ipv6-icmp";
            writer.decide(place, rule.action, fmt::format("{}{}proto {} {}", head, family, protocol, ends), false);
            continue;
        }
        if (rule.ports.empty()) {
            const auto protocol =
                rule.protocol ? fmt::format("proto {} ", model::to_string(*rule.protocol)) : std::string();
            writer.decide(place, rule.action, head + family + protocol + ends, rule.protocol != Protocol::udp);
            continue;
        }
        for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) {
            if (rule.protocol && *rule.protocol != protocol) continue;
            for (const auto& ports : rule.ports)
                writer.decide(place, rule.action,
                              fmt::format("{}{}proto {} {} port {}", head, family, model::to_string(protocol), ends,
                                          ports_text(ports)),
                              protocol == Protocol::tcp);
        }
    }
}

void add_rules(bool ingress, const Filter& filter, const Scope& scope, Writer& writer) {
    for (std::size_t i = 0; i < filter.rules.size(); ++i)
        add_rule(ingress, fmt::format("{}:rule:{}", ingress ? "in" : "out", i), filter.rules[i], scope, writer);
    if (!ingress) return;
    const auto& publish = writer.rules().publish;
    for (std::size_t i = 0; i < publish.size(); ++i) {
        FilterRule rule{.peer = {}, .protocol = publish[i].protocol, .ports = {publish[i].jail_port}};
        if (publish[i].host_address) {
            const auto family = publish[i].host_address->family;
            rule.peer = Prefix{.address = {.family = family}, .length = 0};
        }
        add_rule(true, fmt::format("in:published:{}", i), rule, scope, writer);
    }
}

void add_fallback(bool ingress, const Filter& filter, const Scope& scope, Writer& writer) {
    writer.decide(
        ingress ? "in:default:0" : "out:default:0", filter.fallback,
        fmt::format("{} quick on {} {}", ingress ? "out" : "in", scope.interface, between(ingress, "any", scope.self)));
}

void add_egress(const Scope& end, const Scope& bridge, Writer& writer) {
    // What is for the host is asked about on the bridge. A state made here would keep its rdr rules from being read.
    writer.add(kNobodys, fmt::format("pass in quick on {} from any to (self) no state", end.interface));
    const auto& egress = writer.rules().egress;
    if (!egress) {
        // Replies need a state; whether the host's own rules refuse it is theirs to say.
        writer.add(kNobodys, fmt::format("pass in on {} from any to any flags S/SA keep state", end.interface));
        return;
    }
    // By a published port of its own.
    writer.decide(kNobodys, Action::allow,
                  fmt::format("in quick on {} from {} to {}", bridge.interface, bridge.self, bridge.self));
    for (const auto& scope : {end, bridge}) {
        add_rules(false, *egress, scope, writer);
        add_fallback(false, *egress, scope, writer);
    }
}

void add_ingress(const Scope& end, const Scope& bridge, Writer& writer) {
    // The host itself, by whichever of its addresses. It answers, too, what came to it without a state, by the
    // network's own rules.
    const auto host = fmt::format("out quick on {} from (self) to {}", bridge.interface, bridge.self);
    writer.decide(kNobodys, Action::allow, host);
    writer.add(kNobodys,
               fmt::format("pass out quick on {} proto tcp from (self) to {} no state", bridge.interface, bridge.self));
    const auto& ingress = writer.rules().ingress;
    if (!ingress) {
        writer.add(kNobodys, fmt::format("pass out on {} from any to any flags S/SA keep state", end.interface));
        return;
    }
    for (const auto& scope : {end, bridge}) {
        add_rules(true, *ingress, scope, writer);
        add_fallback(true, *ingress, scope, writer);
    }
}

void add_endpoint(const InstanceId& instance, const Endpoint& endpoint, Writer& writer) {
    const Scope end{.interface = host_end(instance, writer.rules().jail, endpoint.index), .self = "any"};
    const Scope bridge{.interface = bridge_of(instance, endpoint), .self = fmt::format("<{}>", own_table(endpoint))};
    if (endpoint.dynamic)
        add_dhcp(end.interface, writer);
    else
        add_guard(endpoint, end, writer);
    for (const auto& scope : {end, bridge}) add_neighbour_discovery(scope, writer);
    add_egress(end, bridge, writer);
    add_ingress(end, bridge, writer);
}

/// Whoever comes from outside may, unless a later rule of the host's refuses it: who does is asked on the bridge. The
/// state keeps the answers from being translated as a connection of the jail's own. Not `rdr pass`, which asks nobody.
void add_entrance(const InstanceId& instance, const std::vector<std::string>& interfaces, Writer& writer) {
    for (const auto& interface : interfaces) {
        if (!is_plain(interface) || parse_bridge_name(instance, interface)) continue;
        for (const auto& endpoint : writer.rules().endpoints)
            writer.add(kNobodys, fmt::format("pass in on {} from any to <{}> flags S/SA keep state", interface,
                                             own_table(endpoint)));
    }
}

// --- translation -----------------------------------------------------------------------------------------------------

const IpAddress* first_address(const JailRules& rules, Family family) {
    for (const auto& endpoint : rules.endpoints)
        for (const auto& address : endpoint.addresses)
            if (address.family == family) return &address;
    return nullptr;
}

/// A jail that comes back to itself by a port of the host must not get its own address as the sender's.
void add_hairpin(const InstanceId& instance, const JailRules& rules, std::vector<std::string>& nat) {
    for (const auto& endpoint : rules.endpoints)
        for (const Family family : kBothFamilies) {
            const auto gateway = std::ranges::find(endpoint.gateways, family, &IpAddress::family);
            if (gateway == endpoint.gateways.end()) continue;
            for (const auto& own : endpoint.addresses)
                if (own.family == family)
                    nat.push_back(fmt::format("nat on {0} {1} from {2} to {2} -> {3}", bridge_of(instance, endpoint),
                                              inet(family), own.to_string(), gateway->to_string()));
        }
}

void add_redirects(const JailRules& rules, const std::vector<std::string>& interfaces, std::vector<std::string>& rdr) {
    for (const auto& publish : rules.publish)
        for (const Family family : kBothFamilies) {
            const auto* target = first_address(rules, family);
            if (target == nullptr || (publish.host_address && publish.host_address->family != family)) continue;
            const auto host = publish.host_address ? publish.host_address->to_string() : "(self)";
            const auto& to = publish.jail_port;
            const auto port = to.size() == 1 ? fmt::format("{}", to.first) : fmt::format("{}:{}", to.first, to.last);
            for (const auto& interface : interfaces)
                if (is_plain(interface))
                    rdr.push_back(fmt::format("rdr on {} {} proto {} from any to {} port {} -> {} port {}", interface,
                                              inet(family), model::to_string(publish.protocol), host,
                                              ports_text(publish.host_port), target->to_string(), port));
        }
}

std::vector<std::string> address_texts(const Endpoint& endpoint) {
    std::vector<Prefix> all;
    for (const auto& address : endpoint.addresses) all.push_back({.address = address, .length = address.bits()});
    return table_members(all);
}

}  // namespace

std::vector<std::string> table_members(const std::vector<Prefix>& members) {
    std::vector<std::string> all;
    for (const auto& member : members)
        all.push_back(member.length == member.address.bits() ? member.address.to_string() : member.to_string());
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    return all;
}

std::string table_text(const std::string& name, const std::vector<std::string>& members) {
    return fmt::format("table <{}> {{ {} }}\n", name, fmt::join(members, " "));
}

std::string group_table(const std::string& key) {
    constexpr std::size_t kReadable = 14;  // PF_TABLE_NAME_SIZE is 32 with its NUL
    std::string name;
    for (const char c : key.substr(0, kReadable)) name += is_alphanumeric(c) ? c : '_';
    return fmt::format("{}_{:016x}", name, hash(key));
}

JailAnchor jail_anchor_rules(const InstanceId& instance, const JailRules& rules,
                             const std::vector<std::string>& interfaces) {
    JailAnchor anchor;
    Writer writer(rules);
    for (const auto& endpoint : rules.endpoints) {
        auto own = address_texts(endpoint);
        anchor.tables[own_table(endpoint)] = own;
        if (!endpoint.dynamic) {
            own.emplace_back("fe80::/10");
            std::ranges::sort(own);
            anchor.tables[source_table(endpoint)] = std::move(own);
        }
        add_endpoint(instance, endpoint, writer);
    }
    for (const auto& group : rules.groups) anchor.tables[group_table(group.key)] = table_members(group.members);
    if (rules.ingress) add_entrance(instance, interfaces, writer);
    if (!rules.publish.empty()) {
        add_hairpin(instance, rules, anchor.rules.nat);
        add_redirects(rules, interfaces, anchor.rules.nat);
    }
    anchor.rules.filter = writer.labelled();
    return anchor;
}

std::string anchor_text(const JailAnchor& anchor) {
    std::string text;
    for (const auto& [name, members] : anchor.tables) text += table_text(name, members);
    return text + anchor_text(anchor.rules);
}

std::vector<JailId> jails(const InstanceId& instance, std::string_view anchors) {
    std::vector<JailId> found;
    for (const auto line : lines(anchors)) {
        const auto dash = line.rfind("-j");
        if (dash == std::string_view::npos) continue;
        JailId id;
        const auto [end, failed] = std::from_chars(line.data() + dash + 2, line.data() + line.size(), id.value);
        if (failed != std::errc{} || id.value <= 0 || line != jail_anchor(instance, id)) continue;
        if (std::ranges::find(found, id) == found.end()) found.push_back(id);
    }
    return found;
}

std::map<std::string, std::string> by_anchor(std::string_view shown) {
    std::map<std::string, std::string> found;
    std::vector<std::string> path;
    for (const auto line : lines(shown)) {
        if (line.starts_with("anchor \"") && line.ends_with('{')) {
            const auto name = line.substr(8, line.find('"', 8) - 8);
            path.emplace_back(name.ends_with("/*") ? name.substr(0, name.size() - 2) : name);
            continue;
        }
        if (line == "}") {
            if (!path.empty()) path.pop_back();
            continue;
        }
        if (path.size() == 2 && path.front() == "jaild") found["jaild/" + path.back()] += fmt::format("{}\n", line);
    }
    return found;
}

std::vector<RuleCount> counts(const JailRules& rules, std::string_view shown) {
    std::map<std::string, RuleCount> seen;
    RuleCount* at = nullptr;
    for (const auto line : lines(shown)) {
        constexpr std::string_view kLabel = " label \"";
        if (const auto label = line.find(kLabel); label != std::string_view::npos) {
            const auto text = line.substr(label + kLabel.size());
            const auto place = text.substr(0, text.find(' '));
            at = place == kNobodys ? nullptr : &seen[std::string(place)];
        } else if (at != nullptr && line.starts_with('[')) {
            at->packets += number_after(line, "Packets:");
            at->bytes += number_after(line, "Bytes:");
        }
    }
    std::vector<RuleCount> all;
    const auto add = [&](bool ingress, std::string_view name, RuleCount::Place place, std::size_t index) {
        auto count = seen[fmt::format("{}:{}:{}", ingress ? "in" : "out", name, index)];
        count.ingress = ingress;
        count.place = place;
        count.index = index;
        all.push_back(count);
    };
    const auto add_filter = [&](bool ingress, const Filter& filter) {
        for (std::size_t i = 0; i < filter.rules.size(); ++i) add(ingress, "rule", RuleCount::Place::rule, i);
        for (std::size_t i = 0; ingress && i < rules.publish.size(); ++i)
            add(true, "published", RuleCount::Place::published, i);
        add(ingress, "default", RuleCount::Place::fallback, 0);
    };
    if (rules.ingress) add_filter(true, *rules.ingress);
    if (rules.egress) add_filter(false, *rules.egress);
    return all;
}

}  // namespace jaild::kernel::freebsd::pf
