#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/links.h"
#include "core/kernel/linux/interfaces.h"
#include "core/model/network.h"

/// Bridges of ours in the calling thread's network namespace. Blocking, idempotent.
namespace jaild::kernel::bridge {

/// By name, kind and mark. The kernel takes the mark only after the bridge is made; one that a crash left between the
/// two is known by its address, a hash of ours that is set in the same call that makes it.
bool is_ours(const InstanceId& instance, NetworkId network, const rtnl::Interface& interface);

Result<std::vector<ObservedBridge>> list(const InstanceId& instance);
/// Errc::conflict "name_in_use" when an interface that is not ours has the name.
Result<void> ensure(const InstanceId& instance, const model::Network& network);
/// Errc::busy while it has members.
Result<void> remove(const InstanceId& instance, NetworkId network);

}  // namespace jaild::kernel::bridge
