#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/links.h"
#include "core/kernel/scope.h"

/// The veth pairs of a jail, one for each of its interfaces: one end on a bridge in the calling thread's network
/// namespace, the other inside the jail's. Whatever a crash leaves of it is inside the jail's namespace, or on the host
/// with its mark. Blocking, idempotent.
namespace jaild::kernel::pair {

Result<std::vector<ObservedLink>> list(const InstanceId& instance, Scope scope);
/// Errc::not_found "jail_not_found" without the jail's namespace, "network_not_found" without its bridge;
/// Errc::conflict "name_in_use" when an interface that is not ours has the host end's name.
Result<void> ensure(const InstanceId& instance, const LinkParameters& parameters);
Result<void> destroy(const InstanceId& instance, LinkId id);

}  // namespace jaild::kernel::pair
