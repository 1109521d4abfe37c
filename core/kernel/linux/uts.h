#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"

/// The hostname inside a jail, uts_namespaces(7). Each call uses one short-lived thread that enters the namespaces; no
/// other thread of the daemon ever leaves its own. Blocking, any thread.
namespace jaild::kernel::uts {

/// One for each pid, in their order; nothing where the process is gone, or is another one in the daemon's own
/// namespace. A look that fails for another reason fails as a whole.
Result<std::vector<std::optional<std::string>>> hostnames(const std::vector<std::int64_t>& pids);

/// Refused with Errc::conflict when the process has the daemon's own namespace.
Result<void> set_hostname(std::int64_t pid, const std::string& hostname);

}  // namespace jaild::kernel::uts
