#pragma once

#include <filesystem>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/kernel/mounts.h"

/// Template `host`, root kind `thin`: the running host's own userland read-only, everything else private (DESIGN.md).
/// Blocking, idempotent; a crash half-way is finished by the next call.
namespace jaild::kernel::freebsd::host_template {

/// Makes the private directories and /etc. `jail` is the open `<state>/jails/<id>`, `path` is the same. Nothing ran in
/// the jail yet: mtree(8) and pwd_mkdb(8) work by path.
Result<void> make(int jail, const std::filesystem::path& path);

/// Makes whole what mounts stand on, whatever the jail did to it: /bin, /usr/lib, /dev and so on. Returns the open
/// root.
Result<UniqueFd> restore_mount_points(int jail);

/// In order, but for devices. The same answer as long as the host has the same directories.
std::vector<Mount> mounts();

}  // namespace jaild::kernel::freebsd::host_template
