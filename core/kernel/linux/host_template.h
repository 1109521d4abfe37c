#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/mounts.h"

/// Template `host`, root kind `thin`: the running host's own /usr read-only, everything else private (DESIGN.md).
/// Blocking, idempotent; a crash half-way is finished by the next call.
namespace jaild::kernel::host_template {

/// Makes the private directories and the parts of /etc that stay: `jail` is the open `<state>/jails/<id>`.
Result<void> make(int jail);

/// Makes whole what a mount or the runtime stands on, whatever the jail did to it: /usr, /proc, /dev, /sys and so on.
/// Returns the open root.
Result<UniqueFd> restore_mount_points(int jail);

/// In order. The same answer as long as the host's top directories are the same.
Result<std::vector<Mount>> mounts(const Layout& layout, JailId id);

}  // namespace jaild::kernel::host_template
