#include "core/kernel/linux/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>

#include "core/base/files.h"
#include "core/kernel/linux/inside.h"
#include "core/kernel/linux/mount_api.h"
#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/roots/mount_target.h"
#include "core/kernel/roots/path_root.h"

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRoot = "root";
constexpr std::string_view kBeneathRoot = "root/";
constexpr std::chrono::milliseconds kBusyDeadline{1'000};
constexpr int kRetryMilliseconds = 20;

/// "<state>/jails/12/root/usr" is jail 12's "root/usr"; nothing for a point elsewhere, or for the directory itself.
std::optional<ObservedMount> ours(const MountEntry& entry, const std::string& jails) {
    std::string_view rest = entry.point;
    if (!rest.starts_with(jails)) return std::nullopt;
    rest.remove_prefix(jails.size());
    ObservedMount mount;
    const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), mount.id.value);
    if (failed != std::errc{}) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (rest.size() < 2 || rest.front() != '/') return std::nullopt;
    mount.target = rest.substr(1);
    mount.read_only = entry.read_only();
    mount.source = entry.source();
    return mount;
}

/// The same mount as that of `directory` beneath `jail`.
Result<bool> is_in(int file, int jail, const char* directory) {
    const auto held = files::open_beneath(jail, directory, O_PATH | O_DIRECTORY);
    if (!held) return std::unexpected(held.error());
    const auto mine = mount_api::mount_id(held->get());
    const auto where = mount_api::mount_id(file);
    if (!mine || !where) return std::unexpected(mine ? where.error() : mine.error());
    return *mine == *where;
}

/// Makes what is missing of the target, unless that would be in somebody else's directory: a `path` root, the host's.
Result<UniqueFd> make_target(int jail, const Mount& mount) {
    fs::path existing = mount.target;
    Result<UniqueFd> held;
    do {
        existing = existing.parent_path();
        held = files::open_beneath(jail, existing.empty() ? fs::path(".") : existing, O_PATH | O_DIRECTORY);
    } while (!held && held.error().code == Errc::not_found && !existing.empty());
    if (!held) return held;
    auto ours = is_in(held->get(), jail, ".");
    if (ours && !*ours && mount.own_root) ours = is_in(held->get(), jail, "root");
    if (!ours) return std::unexpected(ours.error());
    if (!*ours) return std::unexpected(mount_point_missing(mount.target));
    if (auto made = files::make_directories(jail, mount.target, 0755); !made) return made;
    return files::open_beneath(jail, mount.target, O_PATH | O_DIRECTORY);
}

/// The directory that will be covered, held; made when it is missing.
Result<UniqueFd> open_target(int jail, const Mount& mount) {
    auto held = files::open_beneath(jail, mount.target, O_PATH | O_DIRECTORY);
    if (held || held.error().code != Errc::not_found) return held;
    return make_target(jail, mount);
}

/// True when what is wanted is there already.
Result<bool> already(int target, const Mount& mount) {
    const auto taken = mount_api::is_mount_root(target);
    if (!taken || !*taken) return taken;
    struct statvfs seen {};
    if (::fstatvfs(target, &seen) != 0) return std::unexpected(Error::from_errno("fstatvfs", errno, mount.target));
    if (((seen.f_flag & ST_RDONLY) != 0) == mount.read_only) return true;
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "mount",
              .detail = mount.target + " is mounted already, but " + (mount.read_only ? "writable" : "read-only"),
              .reason = "mounted_otherwise"});
}

mount_api::Attributes attributes_of(const Mount& mount) {
    return {.read_only = mount.read_only,
            .no_suid = mount.no_suid,
            .no_exec = mount.no_exec,
            .propagation = mount.target == kRoot ? mount_api::Propagation::shared : mount_api::Propagation::isolated};
}

/// The root passes on to the running jail what is mounted beneath it. A part of the host is taken whole, with what is
/// mounted in it, and read-only to its last mount.
Result<UniqueFd> clone(const Mount& mount) {
    const auto submounts = mount.read_only ? mount_api::Submounts::include : mount_api::Submounts::leave_out;
    return mount_api::clone(mount.source, submounts, attributes_of(mount));
}

Error unsupported_type(const Mount& mount) {
    return {.code = Errc::unsupported,
            .op = "mount",
            .detail = mount.target +
                      ": only nullfs and tmpfs are mounted in jails on Linux, which have /proc, /sys and "
                      "/dev by themselves",
            .reason = "unsupported_mount_type",
            .field = "/type",
            .remedy = "use nullfs or tmpfs"};
}

/// What keeps a mount busy, as far as it can be seen from the host.
std::string holder(const std::vector<ObservedMount>& mounts, const std::string& target, const fs::path& path) {
    for (const ObservedMount& mount : mounts) {
        if (mount.target.starts_with(target + "/")) return mount.target + " is mounted beneath it";
    }
    std::error_code failed;
    for (fs::directory_iterator at("/proc", failed), end; !failed && at != end; at.increment(failed)) {
        const std::string pid = at->path().filename();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        for (const char* link : {"cwd", "root", "exe"}) {
            std::error_code gone;
            const auto place = fs::read_symlink(at->path() / link, gone);
            if (!gone && (place.native() + "/").starts_with(path.native() + "/"))
                return "process " + pid + " of the host is in it (" + link + ")";
        }
    }
    return "a process of the jail, or an open file, is in it";
}

}  // namespace

Result<std::vector<ObservedMount>> LinuxMounts::list(Scope scope) {
    std::vector<ObservedMount> listed;
    const std::string jails = layout_.jails().native() + "/";
    auto read = for_each_mount([&](const MountEntry& entry) {
        auto mount = ours(entry, jails);
        if (mount && (!scope || mount->id == *scope)) listed.push_back(*std::move(mount));
    });
    if (!read) return std::unexpected(read.error());
    return listed;
}

Result<void> LinuxMounts::check(const Mount& mount) {
    for (const std::string_view own : {"root/proc", "root/sys"})
        if (mount.target == own || mount.target.starts_with(std::string(own) + "/"))
            return std::unexpected(
                Error::invalid("mount_target_refused", "/target", "a jail on Linux has /proc and /sys by itself"));
    if (mount.kind == MountKind::tmpfs) return {};
    return mount.kind == MountKind::bind ? sources_.check(mount) : std::unexpected(unsupported_type(mount));
}

/// Attached nowhere yet.
Result<UniqueFd> LinuxMounts::make(const Mount& mount) const {
    if (mount.kind == MountKind::tmpfs) return mount_api::make_tmpfs(mount.size, attributes_of(mount));
    if (mount.kind != MountKind::bind) return std::unexpected(unsupported_type(mount));
    if (!mount.of_spec) return clone(mount);
    const auto source = sources_.open(mount);
    if (!source) return std::unexpected(source.error());
    return mount_api::clone(source->get(), mount.source, mount_api::Submounts::leave_out, attributes_of(mount));
}

Result<void> LinuxMounts::mount(JailId id, const Mount& mount) {
    const auto jail = files::open_directory(layout_.jail(id));
    if (!jail) return std::unexpected(jail.error());
    const auto target = open_target(jail->get(), mount);
    if (!target) return std::unexpected(target.error());
    const auto there = already(target->get(), mount);
    if (!there) return std::unexpected(there.error());
    if (*there) return {};

    const auto tree = make(mount);
    if (!tree) return std::unexpected(tree.error());
    if (mount.target == kRoot)
        if (auto checked = check_open_root(tree->get(), layout_.state); !checked) return checked;
    auto attached = mount_api::attach(tree->get(), target->get());
    if (attached) attached = show_inside(id, jail->get(), mount);
    if (!attached) attached.error().detail = mount.source + " on " + mount.target + ": " + attached.error().detail;
    return attached;
}

/// When somebody took the root's own mount away on the host and it was made anew, the running jail stands on the old
/// one: it gets its copy directly.
Result<void> LinuxMounts::show_inside(JailId id, int jail, const Mount& mount) const {
    if (!mount.target.starts_with(kBeneathRoot)) return {};
    const auto process = process_of_(id);
    if (!process) return std::unexpected(process.error());
    if (!*process) return {};
    const std::string place = mount.target.substr(kBeneathRoot.size());
    const auto there = inside::is_mounted(**process, place);
    if (!there) return std::unexpected(there.error());
    if (*there) return {};
    const auto outside = files::open_beneath(jail, mount.target, O_PATH | O_DIRECTORY);
    if (!outside) return std::unexpected(outside.error());
    const auto tree = mount.of_spec ? mount_api::clone(outside->get(), mount.target, mount_api::Submounts::leave_out,
                                                       attributes_of(mount))
                                    : clone(mount);
    if (!tree) return std::unexpected(tree.error());
    return inside::attach(**process, place, tree->get());
}

Result<void> LinuxMounts::unmount(JailId id, const std::string& target) {
    const auto jail = files::open_directory(layout_.jail(id));
    if (!jail) return jail.error().code == Errc::not_found ? Result<void>{} : std::unexpected(jail.error());
    const fs::path place = target;
    const auto parent = files::open_beneath(jail->get(), place.has_parent_path() ? place.parent_path() : fs::path("."),
                                            O_PATH | O_DIRECTORY);
    if (!parent) return parent.error().code == Errc::not_found ? Result<void>{} : std::unexpected(parent.error());

    const std::string name = place.filename();
    const auto deadline = std::chrono::steady_clock::now() + kBusyDeadline;
    auto done = mount_api::unmount(parent->get(), name, mount_api::Busy::fail);
    while (!done && done.error().sys == EBUSY && std::chrono::steady_clock::now() < deadline) {
        ::poll(nullptr, 0, kRetryMilliseconds);  // the last descriptors of ended processes are closed a moment later
        done = mount_api::unmount(parent->get(), name, mount_api::Busy::fail);
    }
    if (done || done.error().sys != EBUSY) return done;

    const auto mounts = list(id);
    if (!mounts) return std::unexpected(mounts.error());
    const std::string held = holder(*mounts, target, layout_.jail(id) / target);
    const bool beneath = held.ends_with("beneath it");
    // Nobody in a jail is left to miss it, and out of the tree it endangers nothing: whoever still holds it on the host
    // keeps a view of it until it lets go.
    const auto process = process_of_(id);
    if (!process) return std::unexpected(process.error());
    if (!beneath && !*process) return mount_api::unmount(parent->get(), name, mount_api::Busy::detach);
    Error error = done.error();
    error.detail = target + " is in use: " + held;
    error.reason = "mount_busy";
    return std::unexpected(std::move(error));
}

}  // namespace jaild::kernel
