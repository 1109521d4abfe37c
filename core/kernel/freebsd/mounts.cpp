#include "core/kernel/freebsd/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <ranges>

#include "core/base/files.h"
#include "core/base/spawn.h"
#include "core/kernel/freebsd/devfs_rulesets.h"
#include "core/kernel/freebsd/pure/mount_texts.h"
#include "core/kernel/freebsd/system/prisons.h"
#include "core/kernel/roots/mount_target.h"

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;
namespace mount_api = freebsd::mount_api;

constexpr std::chrono::milliseconds kBusyDeadline{1'000};
constexpr int kRetryMilliseconds = 20;
constexpr int kDirectory = O_RDONLY | O_DIRECTORY;
constexpr Milliseconds kZfsTimeout{60'000};

struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
};

Result<Identity> identity(int directory) {
    struct stat seen {};
    if (::fstat(directory, &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno));
    return Identity{.device = seen.st_dev, .inode = seen.st_ino};
}

/// Of the directory that `directory` is an entry of; of a mount's root, that is where the mount is.
Result<Identity> parent_identity(int directory) {
    const auto parent = UniqueFd(::openat(directory, "..", kDirectory | O_CLOEXEC));
    if (!parent) return std::unexpected(Error::from_errno("openat", errno, ".."));
    return identity(parent.get());
}

/// Makes what is missing of `target`, unless that would be in somebody else's directory: a `path` root, the host's own.
Result<UniqueFd> make_target(int jail, const Mount& mount) {
    const fs::path target = mount.target;
    const auto own = identity(jail);
    if (!own) return std::unexpected(own.error());
    fs::path existing = target;
    fs::path missing;
    Result<UniqueFd> held;
    do {
        missing = missing.empty() ? existing.filename() : existing.filename() / missing;
        existing = existing.parent_path();
        held = files::open_beneath(jail, existing.empty() ? fs::path(".") : existing, kDirectory);
    } while (!held && held.error().code == Errc::not_found && !existing.empty());
    if (!held) return held;
    const auto where = identity(held->get());
    if (!where) return std::unexpected(where.error());
    // Every mount has a device number of its own (vfs_getnewfsid(9)), nullfs too.
    // A private root may be a dataset of its own.
    const auto root = files::open_beneath(jail, "root", kDirectory);
    const auto private_root = root && mount.own_root ? identity(root->get()) : own;
    if (!private_root) return std::unexpected(private_root.error());
    if (where->device != own->device && where->device != private_root->device)
        return std::unexpected(mount_point_missing(target));
    return files::make_directories(held->get(), missing, 0755);
}

/// The directory that will be covered, or what covers it already.
Result<UniqueFd> open_target(int jail, const Mount& mount) {
    auto held = files::open_beneath(jail, mount.target, kDirectory);
    if (held || held.error().code != Errc::not_found) return held;
    return make_target(jail, mount);
}

/// True when what is wanted is there already.
Result<bool> already(int target, const Mount& mount, const std::string& path) {
    const auto there = mount_api::of(target);
    if (!there) return std::unexpected(there.error());
    if (there->point != path) return false;
    if (there->read_only == mount.read_only) return true;
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "mount",
              .detail = mount.target + " is mounted already, but " + (mount.read_only ? "writable" : "read-only"),
              .reason = "mounted_otherwise"});
}

/// Takes away the mount that was made last of this kind and source: a wrong one of ours.
Result<void> undo(const Mount& mount) {
    const auto mounts = mount_api::all();
    if (!mounts) return std::unexpected(mounts.error());
    for (const auto& one : *mounts | std::views::reverse) {
        if (one.type != freebsd::filesystem_type(mount.kind) || one.from != freebsd::mounted_from(mount)) continue;
        return mount_api::unmount(one, mount_api::Busy::force);
    }
    return {};
}

/// The topmost mount on `target`, if there is one.
Result<std::optional<mount_api::Mounted>> topmost(int jail, const std::string& target, const std::string& path) {
    const auto held = files::open_beneath(jail, target, kDirectory);
    if (held) {
        auto mounted = mount_api::of(held->get());
        if (!mounted) return std::unexpected(mounted.error());
        if (mounted->point == path) return *std::move(mounted);
    }
    // What its path no longer leads to, because a directory above it was moved.
    const auto mounts = mount_api::all();
    if (!mounts) return std::unexpected(mounts.error());
    for (const auto& one : *mounts | std::views::reverse) {
        if (one.point == path) return one;
    }
    return std::nullopt;
}

/// The inode of a bind's source, reached without any symbolic link: what was canonical when it was chosen and leads
/// elsewhere now is refused. 0 for other kinds.
Result<ino_t> source_inode(const Mount& mount) {
    if (mount.kind != MountKind::bind) return ino_t{0};
    const auto top = files::open_directory("/");
    if (!top) return std::unexpected(top.error());
    const auto source = files::open_beneath(top->get(), fs::path(mount.source).relative_path(), kDirectory);
    if (!source) return std::unexpected(source.error());
    const auto seen = identity(source->get());
    if (!seen) return std::unexpected(seen.error());
    return seen->inode;
}

/// `mount`, a devfs one with a ruleset that is there and hides what it should.
Result<Mount> with_ruleset(Mount mount) {
    if (mount.kind != MountKind::devfs || mount.ruleset == 0) return mount;
    if (mount.ruleset == freebsd::kRulesetWithBpf)
        if (auto made = freebsd::make_bpf_ruleset(); !made) return std::unexpected(made.error());
    if (!mount.devices.empty()) {
        const auto number = freebsd::make_device_ruleset(mount.ruleset, mount.devices);
        if (!number) return std::unexpected(number.error());
        mount.ruleset = *number;
    }
    if (auto checked = freebsd::check_ruleset(mount.ruleset); !checked) return std::unexpected(checked.error());
    return mount;
}

Error in_use(const std::string& target, std::string detail, std::string remedy) {
    return {.code = Errc::busy,
            .op = "unmount",
            .sys = EBUSY,
            .detail = target + " is in use: " + std::move(detail),
            .reason = "mount_busy",
            .remedy = std::move(remedy)};
}

}  // namespace

Result<std::vector<ObservedMount>> FreeBsdMounts::list(Scope scope) {
    const auto mounts = mount_api::all();
    if (!mounts) return std::unexpected(mounts.error());
    std::vector<ObservedMount> listed;
    const std::string jails = places_.state / "jails";
    for (const auto& one : *mounts) {
        auto mount = freebsd::parse_mount_point(jails, one.point);
        if (!mount || (scope && mount->id != *scope)) continue;
        mount->read_only = one.read_only;
        mount->source = one.from;
        listed.push_back(*std::move(mount));
    }
    return listed;
}

Result<void> FreeBsdMounts::verify(int jail, int covered, ino_t source, const Mount& mount,
                                   const std::string& path) const {
    const auto elsewhere = [&] {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "nmount",
                                     .detail = path + " or what was to be mounted there was moved meanwhile",
                                     .reason = "mount_point_moved"});
    };
    const auto now = files::open_beneath(jail, mount.target, kDirectory);
    if (!now) return elsewhere();
    const auto mounted = mount_api::of(now->get());
    const auto before = mount_api::of(covered);
    if (!mounted || !before || mounted->point != path || mounted->id == before->id ||
        mounted->type != freebsd::filesystem_type(mount.kind))
        return elsewhere();
    // The mount stands where the held directory is, not in another of that name.
    const auto expected = parent_identity(covered);
    const auto found = parent_identity(now->get());
    if (!expected || !found || *expected != *found) return elsewhere();
    // nullfs(5) shows the inode numbers of what it mirrors.
    const auto root = identity(now->get());
    if (!root || (source != 0 && root->inode != source)) return elsewhere();
    return {};
}

/// A dataset that is there, none of the jails' own roots, and none that a jail's root may have written to.
Result<void> FreeBsdMounts::check_dataset(const Mount& mount) const {
    const auto& name = mount.source;
    if (!zfs_parent_.empty() && (name == zfs_parent_ || name.starts_with(zfs_parent_ + "/")))
        return std::unexpected(
            Error::invalid("mount_source_refused", "/source", name + " is where jaild keeps the roots of jails"));
    const auto found = run({"/sbin/zfs", "list", "-H", "-o", "jailed", "-t", "filesystem", name},
                           {.timeout = kZfsTimeout, .output_limit = 1 << 16});
    if (!found) return std::unexpected(found.error());
    if (found->exit_code != 0)
        return std::unexpected(Error::invalid("mount_source_missing", "/source", "there is no dataset " + name));
    if (found->output != "on\n") return {};
    auto error = Error::invalid("mount_source_refused", "/source", name + " is given to jails (jailed=on)");
    error.remedy = "give it to the jail by datasets, or take it back first: zfs set jailed=off " + name;
    return std::unexpected(std::move(error));
}

Result<void> FreeBsdMounts::check(const Mount& mount) {
    if (mount.kind == MountKind::zfs) return check_dataset(mount);
    return mount.kind == MountKind::bind ? sources_.check(mount) : Result<void>{};
}

Result<void> FreeBsdMounts::mount(JailId id, const Mount& wanted) {
    const auto ready = with_ruleset(wanted);
    if (!ready) return std::unexpected(ready.error());
    const auto& mount = *ready;
    const auto jail = files::open_directory(places_.jail(id));
    if (!jail) return std::unexpected(jail.error());
    const std::string path = places_.jail(id) / mount.target;
    // "The last of its kind" in undo() is the one of this thread.
    const std::lock_guard lock(mutex_);
    const auto target = open_target(jail->get(), mount);
    if (!target) return std::unexpected(target.error());
    const auto there = already(target->get(), mount, path);
    if (!there) return std::unexpected(there.error());
    if (*there) return {};

    if (mount.of_spec && mount.kind == MountKind::bind)
        if (const auto held = sources_.open(mount); !held) return std::unexpected(held.error());
    const auto source = source_inode(mount);
    if (!source) return std::unexpected(source.error());
    if (auto mounted = mount_api::mount(mount, path); !mounted) return mounted;
    auto verified = verify(jail->get(), target->get(), *source, mount, path);
    if (verified) return {};
    if (auto undone = undo(mount); !undone) verified.error().detail += "; undoing it: " + undone.error().detail;
    return verified;
}

Result<bool> FreeBsdMounts::lives(JailId id) const {
    const auto prisons = freebsd::prisons();
    if (!prisons) return std::unexpected(prisons.error());
    const auto root = places_.root(id);
    return std::ranges::any_of(*prisons, [&](const auto& prison) { return !prison.dying && root == prison.path; });
}

Result<void> FreeBsdMounts::unmount(JailId id, const std::string& target) {
    const auto jail = files::open_directory(places_.jail(id));
    if (!jail) return jail.error().code == Errc::not_found ? Result<void>{} : std::unexpected(jail.error());
    const auto found = topmost(jail->get(), target, places_.jail(id) / target);
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    const auto& mounted = **found;

    const auto deadline = std::chrono::steady_clock::now() + kBusyDeadline;
    auto done = mount_api::unmount(mounted, mount_api::Busy::fail);
    while (!done && done.error().sys == EBUSY && std::chrono::steady_clock::now() < deadline) {
        ::poll(nullptr, 0, kRetryMilliseconds);  // the last vnodes of ended processes are let go a moment later
        done = mount_api::unmount(mounted, mount_api::Busy::fail);
    }
    if (done || done.error().sys != EBUSY) return done;

    const auto mounts = list(id);
    if (!mounts) return std::unexpected(mounts.error());
    for (const auto& other : *mounts) {
        if (other.target.starts_with(target + "/"))
            return std::unexpected(in_use(target, other.target + " is mounted beneath it", "umount " + mounted.point));
    }
    const auto living = lives(id);
    if (!living) return std::unexpected(living.error());
    if (!*living) return mount_api::unmount(mounted, mount_api::Busy::force);
    return std::unexpected(in_use(target, "a process has a file or its directory in it", "fstat -f " + mounted.point));
}

}  // namespace jaild::kernel
