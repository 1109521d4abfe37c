#pragma once

#include <string>

#include "core/base/error.h"

/// The processors that a jail may run on: cpuset_getaffinity(2) and cpuset_setaffinity(2) of its own set, cpuset(2). As
/// model::to_string(Cpus). Blocking, any thread.
namespace jaild::kernel::freebsd::cpus {

/// All that jails can be given: those of set 1, which is the parent of each jail's.
Result<std::string> of_host();
/// Errc::not_found when there is no such jail.
Result<std::string> of_jail(int jid);
/// What runs there follows at once. Errno EDEADLK: a smaller set that somebody made within has none of these.
Result<void> set(int jid, const std::string& cpus);

}  // namespace jaild::kernel::freebsd::cpus
