#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel/mounts.h"

/// What mount(2)'s family is told and tells, as text. Pure.
namespace jaild::kernel::freebsd {

/// One name and value of nmount(2); both go with their NUL.
struct MountOption {
    std::string name;
    std::string value;
    bool operator==(const MountOption&) const = default;
};

/// "nullfs", "devfs" …: as vfs.conflist and f_fstypename have it.
std::string_view filesystem_type(MountKind kind);
/// What statfs(2) will show as the mount's source: a directory for nullfs, a dataset for zfs, else the type's name.
std::string mounted_from(const Mount& mount);
/// All that makes this mount at `path`, but for its flags (read-only, nosuid) and errmsg.
std::vector<MountOption> mount_options(const Mount& mount, const std::string& path);

/// "<jails>/12/root/usr/bin" is jail 12's "root/usr/bin"; nothing for a point elsewhere or a jail's directory itself.
std::optional<ObservedMount> parse_mount_point(std::string_view jails, std::string_view point);

/// unmount(2) with MNT_BYFSID: "FSID:-3:57".
std::string filesystem_id(std::int32_t first, std::int32_t second);

}  // namespace jaild::kernel::freebsd
