#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/model/network.h"

/// The VLAN interface of a network's uplink: vlan(4), ours by name, unit and description. Blocking, idempotent; one
/// thread at a time.
namespace jaild::kernel::freebsd::vlan {

struct Vlan {
    Interface interface;
    std::string parent;  ///< empty: none yet
    unsigned id = 0;
};
/// The network's, if it has one.
Result<std::optional<Vlan>> find(const std::vector<Interface>& all, const InstanceId& instance, NetworkId network);
/// Of the network's id on its uplink, marked, with the network's MTU. Errc::conflict "name_in_use", and when the uplink
/// has that VLAN already.
Result<Interface> ensure(const InstanceId& instance, const model::Network& network);
/// Missing: success.
Result<void> remove(const InstanceId& instance, NetworkId network);

}  // namespace jaild::kernel::freebsd::vlan
