#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/mounts.h"

/// nmount(2), getfsstat(2), unmount(2). Blocking, any thread.
namespace jaild::kernel::freebsd::mount_api {

/// A mount as the kernel has it.
struct Mounted {
    std::array<std::int32_t, 2> id{};  ///< f_fsid: never used twice before the next boot, as long as the mount lasts
    std::string type;                  ///< "nullfs"
    std::string from;
    std::string point;  ///< where its directory was when it was mounted, without symbolic links
    bool read_only = false;
    bool operator==(const Mounted&) const = default;
};

/// All, in the order in which they were mounted. Waits for no filesystem (MNT_NOWAIT).
Result<std::vector<Mounted>> all();
/// The one that an open directory is on.
Result<Mounted> of(int directory);

/// Mounts at `path`, read-only from its first moment when asked for. Errc::busy when something is mounted there
/// already (MNT_NOCOVER). Symbolic links in `path` are followed: see that it went where it should.
Result<void> mount(const Mount& mount, const std::string& path);

enum class Busy { fail, force };
/// One that is gone: success.
Result<void> unmount(const Mounted& mounted, Busy busy);

}  // namespace jaild::kernel::freebsd::mount_api
