#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// Named network namespaces at /run/netns/NAME, as ip-netns(8) has them. Made and visited by threads that end at once:
/// the daemon's other threads never leave the namespace that it was started in, and nothing forks. Blocking, any
/// thread.
namespace jaild::kernel::netns {

/// "/run/netns/NAME"
std::string path(const std::string& name);

/// Makes a namespace with lo up. One that exists is left as it is; what a crash left half-made is finished.
Result<void> create(const std::string& name);
/// Detaches the name. The namespace lives on while a process or a descriptor is in it. Missing: success.
Result<void> remove(const std::string& name);
/// Names, also those that a crash left without a namespace.
Result<std::vector<std::string>> list();
/// Nothing when there is no such name, or none but an empty remainder.
Result<std::optional<UniqueFd>> open(const std::string& name);
/// The calling thread's own.
Result<UniqueFd> current();

/// The process is in the calling thread's own network namespace. One that is gone is not.
bool is_shared_with(std::int64_t pid);

/// For a thread of on_own_thread(), which ends there.
Result<void> enter(int netns);

/// Runs `work` on a new thread inside the namespace and returns when that ended. Everything that `work` opens there
/// (netlink sockets, files below /proc/sys/net) stays bound to it.
Result<void> run_in(int netns, const std::function<Result<void>()>& work);

}  // namespace jaild::kernel::netns
