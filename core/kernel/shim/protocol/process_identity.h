#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

/// A pid alone names nobody: it is used again. A pid and the time of its start do.
namespace jaild::shim {

/// When this process started, in the kernel's own unit since boot or epoch: only good for being compared. Nothing when
/// there is no such process. A process that ended and was not waited for yet still has one.
std::optional<std::int64_t> start_time(pid_t pid);

}  // namespace jaild::shim
