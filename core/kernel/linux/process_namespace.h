#pragma once

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/kernel/linux/process.h"

namespace jaild::kernel {

/// Opens a namespace of a jail's process ("mnt", "uts"), to be entered by setns(2). Errc::not_found when that process
/// is gone, also when another one has its pid by now; Errc::conflict when the namespace is the daemon's own, which is
/// never to be entered. Any other Error says nothing about the process. Blocking, any thread.
Result<UniqueFd> open_namespace(const ProcessIdentity& process, const char* kind);

}  // namespace jaild::kernel
