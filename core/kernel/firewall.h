#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/model/network.h"

namespace jaild::kernel {

struct ObservedRules {
    NetworkId network;
    bool complete = false;  ///< every rule that apply() would load is there
    bool operator==(const ObservedRules&) const = default;
};

/// The packet filter: one table of ours (nftables) or one anchor for each network (pf). Blocking, idempotent.
class Firewall {
public:
    virtual ~Firewall() = default;
    /// Errc::unsupported with the remedy when the host's packet filter is off or lacks our anchor lines.
    virtual Result<void> available() = 0;
    /// Networks for which anything of ours is loaded.
    virtual Result<std::vector<ObservedRules>> list(const std::vector<model::Network>& desired) = 0;
    /// Replaces a network's rules in one step: NAT out of its subnets, new connections from outside refused.
    virtual Result<void> apply(const model::Network& network) = 0;
    /// Removes them; the table itself with the last. Missing: success.
    virtual Result<void> remove(NetworkId network) = 0;
};

}  // namespace jaild::kernel
