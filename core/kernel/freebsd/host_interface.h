#pragma once

#include <optional>
#include <string>

#include "core/base/ids.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::freebsd {

/// What a network may have to know of an interface before it names it. Blocking.
Result<std::optional<HostInterface>> host_interface(const InstanceId& instance, const std::string& name);

}  // namespace jaild::kernel::freebsd
