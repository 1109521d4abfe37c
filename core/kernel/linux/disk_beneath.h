#pragma once

#include <filesystem>

#include "core/base/error.h"
#include "core/kernel/linux/pure/disk_limits.h"

namespace jaild::kernel::cgroups {

/// The disk that a directory's file system is on; a partition's is the whole one, which is what control groups limit.
/// Errc::unsupported "limits_unsupported" for a file system without one: tmpfs, nfs, btrfs, zfs. Blocking: may hang as
/// stat(2) does.
Result<DiskId> disk_beneath(const std::filesystem::path& directory);

}  // namespace jaild::kernel::cgroups
