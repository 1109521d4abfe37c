#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/jail_rules.h"
#include "core/model/network.h"
#include "core/model/policy.h"

namespace jaild::kernel {

struct ObservedRules {
    NetworkId network;
    bool complete = false;  ///< every rule that apply() would load is there
    bool operator==(const ObservedRules&) const = default;
};

struct ObservedJailRules {
    JailId jail;
    bool loaded = false;    ///< anything of its rules
    bool complete = false;  ///< exactly what apply() would load, the members of its groups included
    bool operator==(const ObservedJailRules&) const = default;
};

/// What a rule of a jail has counted since it was loaded.
struct RuleCount {
    enum class Place { rule, published, fallback };
    bool ingress = true;
    Place place = Place::rule;
    std::size_t index = 0;  ///< within JailRules; 0 for the fallback
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    bool operator==(const RuleCount&) const = default;
};

struct LoadedText {
    std::string text;  ///< as the packet filter's own tool prints it, for people
    std::vector<RuleCount> counts;
};

/// The packet filter: one table of ours (nftables) or an anchor for each network and jail (pf). Blocking, idempotent.
class Firewall {
public:
    virtual ~Firewall() = default;
    /// Errc::unsupported with the remedy when the host's packet filter is off or lacks our anchor lines.
    virtual Result<void> available() = 0;
    /// The same when rules of jails cannot be enforced in full, because packets between jails of one bridge pass the
    /// filter by (FreeBSD: net.link.bridge.pfil_member; Linux: no bridge netfilter). May load a module.
    virtual Result<void> enforceable() = 0;
    /// The same of jails on a bridge of the host's own, which is not ours to set up for it.
    virtual Result<void> enforceable_on(const std::string& /*bridge*/) { return enforceable(); }
    /// Whether a jail without a policy needs rules too: where packets between jails pass the filter, they keep it to
    /// its own addresses, by which the policies of others know it.
    virtual bool guards() = 0;

    /// Networks for which anything of ours is loaded.
    virtual Result<std::vector<ObservedRules>> list(const std::vector<model::Network>& desired) = 0;
    /// Replaces a network's rules in one step: NAT out of its subnets, new connections from outside refused but to
    /// jails whose own rules decide about them.
    virtual Result<void> apply(const model::Network& network) = 0;
    /// Removes them; the table itself with the last. Missing: success.
    virtual Result<void> remove(NetworkId network) = 0;

    /// One entry for each of `desired`, in their order, then those jails of which anything else is loaded.
    virtual Result<std::vector<ObservedJailRules>> list_jails(const std::vector<JailRules>& desired) = 0;
    /// Replaces a jail's rules and the members of its groups in one step, checked first: what was loaded stays when
    /// they cannot be. Connections that are established go on. The jail and its links need not exist.
    virtual Result<void> apply(const JailRules& rules) = 0;
    /// Missing: success.
    virtual Result<void> remove(JailId jail) = 0;
    /// Groups with other members than before: rules stay as they are. A group without users is forgotten.
    virtual Result<void> update(const std::vector<GroupUse>& groups) = 0;
    /// What is loaded of a jail; nothing loaded: empty.
    virtual Result<LoadedText> loaded(const JailRules& rules) = 0;

    /// Whose socket of the host takes this port or a part of it: "sshd (pid 812)"; nothing: it is free.
    virtual Result<std::optional<std::string>> listener(const model::Publish& publish) = 0;
};

}  // namespace jaild::kernel
