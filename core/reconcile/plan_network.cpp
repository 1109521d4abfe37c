#include <algorithm>

#include "core/reconcile/plan.h"

namespace jaild::reconcile {
namespace {

bool bridge_is_whole(const kernel::ObservedBridge& bridge, const model::Network& network) {
    const bool uplinked = bridge.uplink == network.uplink && bridge.vlan == network.vlan && bridge.uplink_whole;
    return bridge.up && uplinked && bridge.mtu == network.mtu &&
           std::ranges::is_permutation(bridge.addresses, network.bridge_addresses());
}

void build(const DesiredNetwork& desired, const ObservedNetwork& observed, Plan& steps) {
    const auto& network = desired.network;
    const auto add = [&](StepKind kind, std::string object) {
        steps.push_back({.kind = kind, .object = std::move(object), .mount = {}});
    };
    const bool own = network.bridge.empty();
    if (own && (!observed.bridge || !bridge_is_whole(*observed.bridge, network)))
        add(StepKind::ensure_bridge, network.name.text());
    const bool forward = desired.manage_forwarding;
    if (forward && network.forwards(Family::ipv4) && !observed.forwarding4) add(StepKind::enable_forwarding, "ipv4");
    if (forward && network.forwards(Family::ipv6) && !observed.forwarding6) add(StepKind::enable_forwarding, "ipv6");
    // Without a packet filter there is no step: the jails run without it, and their condition says so.
    const bool rules = network.has_rules();
    if (observed.firewall && rules && (!observed.rules || !observed.rules->complete))
        add(StepKind::apply_rules, network.name.text());
    if (observed.rules && !rules) add(StepKind::remove_rules, network.name.text());
    if (observed.bridge && !own && observed.bridge->members == 0)
        add(StepKind::remove_bridge, network.name.text());  // of before it was put on another
}

}  // namespace

Plan plan_network(const DesiredNetwork& desired, const ObservedNetwork& observed) {
    Plan steps;
    if (desired.in_use) {
        build(desired, observed, steps);
        return steps;
    }
    // A member left on the bridge is somebody's: the network stays whole until it is gone.
    if (observed.bridge && observed.bridge->members > 0) return steps;
    const auto& name = desired.network.name.text();
    if (observed.rules) steps.push_back({.kind = StepKind::remove_rules, .object = name, .mount = {}});
    if (observed.bridge) steps.push_back({.kind = StepKind::remove_bridge, .object = name, .mount = {}});
    return steps;
}

}  // namespace jaild::reconcile
