#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// A living process of a jail.
struct MarkedProcess {
    pid_t pid = 0;
    std::int64_t started = 0;  ///< as shim::start_time() has it
    uid_t user = 0;
    std::string title;        ///< its arguments, or what it says instead (setproctitle(3)), with a NUL behind each
    std::string environment;  ///< "NAME=value", with a NUL behind each
};

/// Those of that program ("dhclient") in that jail whose environment can be read, by kern.proc. The jail's root can
/// make one that looks like any other, and hide none that he does not end. Costs a look at every process of the host.
/// Blocking, any thread.
Result<std::vector<MarkedProcess>> processes_of(int jid, const std::string& program);

}  // namespace jaild::kernel::freebsd
