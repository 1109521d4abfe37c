#include "core/reconcile/compile_firewall.h"

#include <algorithm>

#include "core/base/ascii.h"
#include "core/reconcile/effective.h"

namespace jaild::reconcile {
namespace {

using model::Peer;

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};

template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string key_of(const Peer& peer) {
    return std::visit(Overloaded{[](const model::PeerJail& jail) { return "jail:" + to_lower(jail.name); },
                                 [](const model::PeerLabel& label) {
                                     return "label:" + label.key + (label.value ? "=" + *label.value : "");
                                 },
                                 [](const model::PeerNetwork& network) { return "network:" + to_lower(network.name); },
                                 [](const Prefix& cidr) { return cidr.to_string(); }},
                      peer);
}

void add_host(const Resident& jail, std::vector<Prefix>& members) {
    for (const auto& endpoint : jail.endpoints)
        for (const auto& address : endpoint.addresses)
            members.push_back({.address = address, .length = address.bits()});
}

std::vector<Prefix> subnets(const model::Network& network) {
    std::vector<Prefix> all;
    for (const auto& subnet : {network.ipv4, network.ipv6})
        if (subnet) all.push_back(subnet->network());
    return all;
}

bool has_label(const Resident& jail, const model::PeerLabel& label) {
    const auto found = jail.labels.find(label.key);
    return found != jail.labels.end() && (!label.value || *label.value == found->second);
}

std::vector<Prefix> members_of(const Peer& peer, const Residents& all, const std::vector<model::Network>& networks) {
    std::vector<Prefix> members;
    std::visit(Overloaded{[&](const model::PeerJail& wanted_jail) {
                              for (const auto& [id, jail] : all)
                                  if (to_lower(jail.name) == to_lower(wanted_jail.name)) add_host(jail, members);
                          },
                          [&](const model::PeerLabel& label) {
                              for (const auto& [id, jail] : all)
                                  if (has_label(jail, label)) add_host(jail, members);
                          },
                          [&](const model::PeerNetwork& wanted_network) {
                              for (const auto& network : networks)
                                  if (to_lower(network.name.text()) == to_lower(wanted_network.name))
                                      members = subnets(network);
                          },
                          [&](const Prefix& cidr) { members.push_back(cidr); }},
               peer);
    std::ranges::sort(members);
    members.erase(std::ranges::unique(members).begin(), members.end());
    return members;
}

kernel::FilterRule compile_rule(const model::PolicyRule& rule) {
    kernel::FilterRule compiled{.peer = {}, .protocol = rule.protocol, .ports = rule.ports, .action = rule.action};
    if (!rule.peer) return compiled;
    if (const auto* cidr = std::get_if<Prefix>(&*rule.peer))
        compiled.peer = *cidr;
    else
        compiled.peer = key_of(*rule.peer);
    return compiled;
}

kernel::Filter compile_policy(const model::Policy& policy) {
    kernel::Filter filter{.rules = {}, .fallback = policy.fallback};
    for (const auto& rule : policy.rules) filter.rules.push_back(compile_rule(rule));
    return filter;
}

/// What holds without `ingress`, said as a policy: in from its own networks.
kernel::Filter own_networks(const Resident& jail, const std::vector<model::Network>& networks) {
    kernel::Filter filter{.rules = {}, .fallback = model::Action::deny};
    for (const auto& endpoint : jail.endpoints)
        for (const auto& network : networks)
            if (network.id == endpoint.network)
                for (const auto& subnet : subnets(network)) filter.rules.push_back({.peer = subnet});
    return filter;
}

/// Calls `visit` with each peer that becomes a group.
template <class F>
void each_group(const model::FirewallSpec& firewall, F visit) {
    for (const auto* policy : {&firewall.ingress, &firewall.egress}) {
        if (!*policy) continue;
        for (const auto& rule : (*policy)->rules)
            if (rule.peer && !std::holds_alternative<Prefix>(*rule.peer)) visit(*rule.peer);
    }
}

}  // namespace

Resident resident(const model::Jail& jail, const std::vector<model::Network>& networks) {
    Resident made{.id = jail.id,
                  .name = jail.name.text(),
                  .labels = jail.spec.labels,
                  .endpoints = {},
                  .publish = jail.spec.publish,
                  .firewall = jail.spec.firewall};
    if (!jail.removing) made.endpoints = endpoints_of(jail, networks);
    return made;
}

kernel::JailRules compile_firewall(const Resident& jail, const Residents& all,
                                   const std::vector<model::Network>& networks) {
    kernel::JailRules rules{.jail = jail.id,
                            .endpoints = jail.endpoints,
                            .ingress = {},
                            .egress = {},
                            .publish = jail.publish,
                            .groups = {}};
    if (jail.firewall.ingress)
        rules.ingress = compile_policy(*jail.firewall.ingress);
    else if (!jail.publish.empty())
        rules.ingress = own_networks(jail, networks);
    if (jail.firewall.egress) rules.egress = compile_policy(*jail.firewall.egress);

    std::map<std::string, std::vector<Prefix>> groups;
    each_group(jail.firewall, [&](const Peer& peer) {
        const auto [place, added] = groups.try_emplace(key_of(peer));
        if (added) place->second = members_of(peer, all, networks);
    });
    for (auto& [key, members] : groups) rules.groups.push_back({.key = key, .members = std::move(members)});
    return rules;
}

std::map<std::string, kernel::GroupUse> compile_groups(const Residents& all,
                                                       const std::vector<model::Network>& networks) {
    std::map<std::string, kernel::GroupUse> groups;
    for (const auto& [id, jail] : all) {
        each_group(jail.firewall, [&](const Peer& peer) {
            const auto key = key_of(peer);
            auto& use = groups[key];
            if (use.users.empty()) use.group = {.key = key, .members = members_of(peer, all, networks)};
            if (use.users.empty() || use.users.back() != jail.id) use.users.push_back(jail.id);
        });
    }
    return groups;
}

}  // namespace jaild::reconcile
