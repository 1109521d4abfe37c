#pragma once

#include <string>

#include "core/base/error.h"
#include "core/kernel/linux/process.h"

/// The mounts of a running jail, in its own mount namespace. What we mount beneath its root on the host reaches it by
/// propagation (mount_namespaces(7)), as long as the mount of the root itself was never taken away. Blocking.
namespace jaild::kernel::inside {

/// Is a mount at this place of the jail ("usr", "usr/local")? `process` is its first.
Result<bool> is_mounted(const ProcessIdentity& process, const std::string& place);

/// Attaches a detached tree there, by a short-lived thread that enters the jail's namespace. Errors as
/// open_namespace(): never in the host's own.
Result<void> attach(const ProcessIdentity& process, const std::string& place, int tree);

}  // namespace jaild::kernel::inside
