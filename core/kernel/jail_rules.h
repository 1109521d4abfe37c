#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/model/policy.h"

/// What a packet filter is asked for about one jail: compiled from specs (core/reconcile/compile_firewall.h), names
/// resolved. A driver writes it down in its own language; docs/firewall.md says what it means. Plain values.
namespace jaild::kernel {

/// One interface of a jail.
struct Endpoint {
    unsigned index = 0;  ///< which of the jail's interfaces
    NetworkId network;
    std::vector<IpAddress> addresses;
    std::vector<IpAddress> gateways;  ///< of the host on that network
    bool dynamic = false;             ///< it may get further addresses, by DHCP or SLAAC
    std::string bridge{};             ///< the host's own bridge that the network is on; empty: ours
    bool operator==(const Endpoint&) const = default;
};

/// The addresses behind a selector. Rules name the key, so that jails come and go without a change of rules. One group
/// has the same members for whoever uses it.
struct Group {
    std::string key;              ///< "jail:web", "label:tier=front", "network:lan"; any text
    std::vector<Prefix> members;  ///< sorted, none within another
    bool operator==(const Group&) const = default;
};

/// A group and the jails whose rules name it.
struct GroupUse {
    Group group;
    std::vector<JailId> users;
    bool operator==(const GroupUse&) const = default;
};

struct FilterRule {
    /// Anyone, the key of a group, or a network.
    std::variant<std::monostate, std::string, Prefix> peer;
    std::optional<model::Protocol> protocol{};
    std::vector<model::PortRange> ports{};  ///< of the destination; without protocol: of tcp and udp
    model::Action action = model::Action::allow;
    bool operator==(const FilterRule&) const = default;
};

/// The first rule that matches decides, else `fallback`.
struct Filter {
    std::vector<FilterRule> rules;
    model::Action fallback = model::Action::deny;
    bool operator==(const Filter&) const = default;
};

struct JailRules {
    JailId jail;
    std::vector<Endpoint> endpoints;
    /// Nothing: what its networks let in and out. After the rules of `ingress` and before its fallback, the ports that
    /// `publish` leads to are allowed for anyone. There is an `ingress` where there is a `publish`.
    std::optional<Filter> ingress;
    std::optional<Filter> egress;
    std::vector<model::Publish> publish;
    std::vector<Group> groups;  ///< every one that a rule names, sorted by key
    bool operator==(const JailRules&) const = default;
};

}  // namespace jaild::kernel
