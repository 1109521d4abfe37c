#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/kernel/scope.h"
#include "core/model/mount_spec.h"

namespace jaild::kernel {

enum class MountKind { bind, devfs, fdescfs, linprocfs, linsysfs, procfs, tmpfs, zfs };  ///< bind: nullfs on FreeBSD

/// One mount beneath `<state>/jails/<id>/`.
struct Mount {
    MountKind kind = MountKind::bind;
    std::string source;  ///< a directory of the host, for bind; a dataset, for zfs
    std::string target;  ///< relative to `<state>/jails/<id>`: "root", "root/usr"
    bool read_only = false;
    bool no_suid = false;
    int ruleset = 0;                     ///< devfs
    std::vector<std::string> devices{};  ///< devfs: shown beyond those of the ruleset, model::JailSpec::devices
    bool no_exec = false;
    bool of_spec = false;   ///< a user's: only of what the configuration allows, and nothing that is mounted in it
    bool own_root = false;  ///< the jail's root is a private one, in which a missing target may be made
    bool create = false;    ///< a bind's source is made when it is missing
    Bytes size{};           ///< tmpfs: at most; 0: as the system has it
    bool operator==(const Mount&) const = default;
};

struct ObservedMount {
    JailId id;
    std::string target;  ///< as in Mount
    bool read_only = false;
    std::string source{};  ///< for people: "/usr/bin", "/dev/sda1[/srv]"; empty where the kernel has no word for it
    bool operator==(const ObservedMount&) const = default;
};

/// What a user asks for, as it is mounted; and all of a spec, each before what is beneath it.
enum class RootOwner { jaild, user };
Mount mount_of(const model::MountSpec& spec, RootOwner owner);
std::vector<Mount> mounts_of(const std::vector<model::MountSpec>& specs, RootOwner owner);

/// Mounts beneath the directories of our jails. Blocking, idempotent.
class Mounts {
public:
    virtual ~Mounts() = default;
    /// All, also those that somebody else made there; in the order of mounting. Two on one target are two entries.
    virtual Result<std::vector<ObservedMount>> list(Scope scope) = 0;
    /// The target is opened beneath the jail's directory without following any link, made when missing (only beneath
    /// a private directory of ours), and held; attached already read-only, so no moment exists in which it is not.
    virtual Result<void> mount(JailId id, const Mount& mount) = 0;
    /// Can this host mount it, and may it? Of what a user asks for. Fields are relative to the mount. Errc::unsupported
    /// "unsupported_mount_type" (/type); Errc::invalid "mount_source_missing", "mount_source_refused" (/source),
    /// "mount_target_refused" (/target); Errc::denied "mount_source_not_allowed".
    virtual Result<void> check(const Mount& mount) = 0;
    /// The configuration names this directory of the host, or one above it: operators may mount it.
    [[nodiscard]] virtual bool lists(const std::string& source) const = 0;
    /// The topmost mount at `target`; Errc::busy says what holds it. A missing one is success.
    virtual Result<void> unmount(JailId id, const std::string& target) = 0;
};

}  // namespace jaild::kernel
