#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/links.h"

/// Bridges of the host: if_bridge(4). Blocking, idempotent; one thread at a time makes and removes them.
namespace jaild::kernel::freebsd::bridge {

/// Ours: name, unit and description; or one that we just made and did not get to name.
bool is_ours(const InstanceId& instance, NetworkId network, const Interface& interface);

Result<std::vector<ObservedBridge>> list(const InstanceId& instance);
/// Errc::conflict "name_in_use" when an interface that is not ours has its name or its unit.
Result<void> ensure(const InstanceId& instance, const model::Network& network);
/// Errc::busy "network_in_use" while it has members.
Result<void> remove(const InstanceId& instance, NetworkId network);

struct Member {
    std::string name;
    bool isolated = false;  ///< ifconfig(8) "private"
};
/// Of a bridge. One that is gone has none.
Result<std::vector<Member>> members(const std::string& bridge);
/// A member already, or none any more: success.
Result<void> add_member(const std::string& bridge, const std::string& interface);
Result<void> remove_member(const std::string& bridge, const std::string& interface);
/// Its other flags stay.
Result<void> set_isolated(const std::string& bridge, const std::string& interface, bool isolated);

}  // namespace jaild::kernel::freebsd::bridge
