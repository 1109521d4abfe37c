#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild::kernel {

/// One line of /proc/<pid>/mountinfo (proc_pid_mountinfo(5)).
struct MountEntry {
    std::string point;         ///< where, octal escapes undone
    std::string_view options;  ///< of the mount itself: "ro,nosuid,relatime"
    std::string_view type;     ///< of the filesystem: "ext4", "cgroup2"
    std::string_view root;     ///< what of the filesystem is mounted; escaped
    std::string_view device;   ///< the filesystem's own name for where it comes from; escaped
    std::string_view super;    ///< options of the filesystem: "rw,memory"
    /// As findmnt(8) writes it: "/dev/sda1[/srv]", "tmpfs".
    [[nodiscard]] std::string source() const;
    [[nodiscard]] bool read_only() const;
};

/// Every mount of the calling process's namespace, in the order in which the kernel shows them (a mount comes after the
/// one it was put on). The entry is valid during the call. Blocking.
Result<void> for_each_mount(const std::function<void(const MountEntry&)>& visit);

/// A single line; false when it is none. `entry` refers to `line`.
bool parse_mount(std::string_view line, MountEntry& entry);

}  // namespace jaild::kernel
