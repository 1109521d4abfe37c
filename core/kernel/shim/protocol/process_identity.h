#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/error.h"

/// A pid alone names nobody: it is used again. A pid and the time of its start do, until the next boot: what outlives
/// one in a file needs boot_id() beside them.
namespace jaild::shim {

/// When this process started, in the kernel's own unit since boot or epoch: only good for being compared. Nothing when
/// there is no such process. A process that ended and was not waited for yet still has one. An Error (no descriptors,
/// no memory) says nothing about the process.
Result<std::optional<std::int64_t>> start_time(pid_t pid);

/// Of this run of the kernel, hexadecimal: another one after each boot.
Result<std::string> boot_id();

/// Is this pid still the process that started then? An Error as above: never to be taken for a no.
Result<bool> is_process(pid_t pid, std::int64_t started);

}  // namespace jaild::shim
