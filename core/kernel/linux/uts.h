#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/linux/process.h"

/// The hostname inside a jail, uts_namespaces(7). Each call uses one short-lived thread that enters the namespaces; no
/// other thread of the daemon ever leaves its own. Blocking, any thread.
namespace jaild::kernel::uts {

/// One for each process, in their order; nothing where it is gone, has the daemon's own or is none (pid 0). A look that
/// fails for another reason fails as a whole.
Result<std::vector<std::optional<std::string>>> hostnames(const std::vector<ProcessIdentity>& processes);

/// Errors as open_namespace().
Result<void> set_hostname(const ProcessIdentity& process, const std::string& hostname);

}  // namespace jaild::kernel::uts
