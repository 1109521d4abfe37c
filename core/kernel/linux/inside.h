#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"

/// The mounts of a running jail, in its own mount namespace. What we mount beneath its root on the host reaches it by
/// propagation (mount_namespaces(7)), as long as the mount of the root itself was never taken away. Blocking.
namespace jaild::kernel::inside {

/// Is a mount at this place of the jail ("usr", "usr/local")? False also when its process is gone.
bool is_mounted(std::int64_t pid, const std::string& place);

/// Attaches a detached tree there, by a short-lived thread that enters the jail's namespace.
Result<void> attach(std::int64_t pid, const std::string& place, int tree);

}  // namespace jaild::kernel::inside
