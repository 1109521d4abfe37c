#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/linux/interfaces.h"
#include "core/model/network.h"

/// The VLAN interface of a network's uplink: ours, by name, kind and mark. Blocking, idempotent.
namespace jaild::kernel::vlan {

/// Errc::unsupported "unsupported_network_field" when this kernel has none and no module for them; may load it.
Result<void> check();
/// The network's among all interfaces, or nullptr.
const rtnl::Interface* find(const std::vector<rtnl::Interface>& all, const InstanceId& instance, NetworkId network);
/// The networks that have one.
std::vector<NetworkId> networks(const std::vector<rtnl::Interface>& all, const InstanceId& instance);
/// Of the network's id on its uplink, marked, not yet up. Errc::conflict "name_in_use", and when the uplink has that
/// VLAN already.
Result<rtnl::Interface> ensure(nl::Socket& socket, const InstanceId& instance, const model::Network& network);
/// Missing: success.
Result<void> remove(nl::Socket& socket, const InstanceId& instance, NetworkId network);

}  // namespace jaild::kernel::vlan
