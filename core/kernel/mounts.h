#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/scope.h"

namespace jaild::kernel {

enum class MountKind { bind, devfs, fdescfs, linprocfs, linsysfs, procfs, tmpfs, zfs };  ///< bind: nullfs on FreeBSD

/// One mount beneath `<state>/jails/<id>/`.
struct Mount {
    MountKind kind = MountKind::bind;
    std::string source;  ///< a directory of the host, for bind; a dataset, for zfs
    std::string target;  ///< relative to `<state>/jails/<id>`: "root", "root/usr"
    bool read_only = false;
    bool no_suid = false;
    int ruleset = 0;  ///< devfs
    bool operator==(const Mount&) const = default;
};

struct ObservedMount {
    JailId id;
    std::string target;  ///< as in Mount
    bool read_only = false;
    std::string source{};  ///< for people: "/usr/bin", "/dev/sda1[/srv]"; empty where the kernel has no word for it
    bool operator==(const ObservedMount&) const = default;
};

/// Mounts beneath the directories of our jails. Blocking, idempotent.
class Mounts {
public:
    virtual ~Mounts() = default;
    /// All, also those that somebody else made there; in the order of mounting. Two on one target are two entries.
    virtual Result<std::vector<ObservedMount>> list(Scope scope) = 0;
    /// The target is opened beneath the jail's directory without following any link, made when missing (only beneath
    /// a private directory of ours), and held; attached already read-only, so no moment exists in which it is not.
    virtual Result<void> mount(JailId id, const Mount& mount) = 0;
    /// The topmost mount at `target`; Errc::busy says what holds it. A missing one is success.
    virtual Result<void> unmount(JailId id, const std::string& target) = 0;
};

}  // namespace jaild::kernel
