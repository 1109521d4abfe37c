#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/freebsd/system/interfaces.h"

namespace jaild::kernel::freebsd {

/// Makes an interface's addresses exactly these; link-local ones stay. IPv6 has to be on there. Blocking.
Result<void> set_addresses(const Interface& interface, const std::vector<Prefix>& wanted);

}  // namespace jaild::kernel::freebsd
