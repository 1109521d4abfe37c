#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"

/// The hostname inside a jail, uts_namespaces(7). Each call uses one short-lived thread that enters the namespaces; no
/// other thread of the daemon ever leaves its own. Blocking, any thread.
namespace jaild::kernel::uts {

/// One for each pid, in their order; nothing where the process is gone.
Result<std::vector<std::optional<std::string>>> hostnames(const std::vector<std::int64_t>& pids);

/// Refused with Errc::conflict when the process has the daemon's own namespace.
Result<void> set_hostname(std::int64_t pid, const std::string& hostname);

}  // namespace jaild::kernel::uts
