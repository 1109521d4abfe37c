#include "core/kernel/mounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/ports.h"

namespace jaild::kernel::memory {

Result<std::vector<ObservedMount>> MemoryMounts::list(Scope scope) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("mounts.list"); !met) return std::unexpected(met.error());
    std::vector<ObservedMount> listed;
    for (const auto& one : world_.state.mounts) {
        if (world_.owns(one.id, scope)) listed.push_back({one.id, one.mount.target, one.mount.read_only});
    }
    return listed;
}

/// As nmount(2): it stacks, whatever is there already.
Result<void> MemoryMounts::mount(JailId id, const Mount& mount) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("mounts.mount"); !met) return met;
    auto* held = world_.directory(id);
    if (!held || !held->prepared) {
        world_.violate(fmt::format("{} is mounted in jail {} before its root is prepared", mount.target, id.value));
        return std::unexpected(Error::from_errno("openat", ENOENT, mount.target));
    }
    if (held->root.kind == model::RootKind::path && mount.target != "root" && !world_.mounted(id, "root")) {
        world_.violate(fmt::format("{} of jail {} would be hidden by its root", mount.target, id.value));
    }
    return world_.faults.step("mounts.mount.attach", [&]() -> Result<void> {
        auto* lives = world_.prison(id);
        // What came while it runs has nothing open in it yet.
        world_.state.mounts.push_back({id, mount, !mount.of_spec && lives && lives->life == JailLife::alive});
        return {};
    });
}

/// The model has no file system: whatever begins with "/missing" does not exist, everything else does.
Result<void> MemoryMounts::check(const Mount& mount) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("mounts.check"); !met) return met;
    if (mount.kind != MountKind::bind) return {};
    if (!world_.driver.mount_sources.empty() && !lists(mount.source))
        return std::unexpected(Error{.code = Errc::denied,
                                     .op = "mount",
                                     .detail = mount.source + " is not beneath what may be mounted in jails",
                                     .reason = "mount_source_not_allowed",
                                     .field = "/source"});
    if (mount.source.starts_with("/missing") && !mount.create)
        return std::unexpected(
            Error::invalid("mount_source_missing", "/source", mount.source + " is no directory of this host"));
    return {};
}

bool MemoryMounts::lists(const std::string& source) const {
    return std::ranges::any_of(world_.driver.mount_sources, [&](const std::filesystem::path& one) {
        const std::filesystem::path path(source);
        return std::ranges::mismatch(one, path).in1 == one.end();
    });
}

Result<void> MemoryMounts::unmount(JailId id, const std::string& target) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("mounts.unmount", [&]() -> Result<void> {
        auto& mounts = world_.state.mounts;
        auto last = std::find_if(mounts.rbegin(), mounts.rend(),
                                 [&](const MountPoint& one) { return one.id == id && one.mount.target == target; });
        if (last == mounts.rend()) return {};
        // The object of a jail holds its root directory, dying or not; processes hold what they have open.
        const bool holds_root = target == "root" && world_.any_prison(id);
        if (last->in_use || holds_root || world_.mounted_beneath(id, target)) {
            return std::unexpected(Error::from_errno("unmount", EBUSY, target + " is in use"));
        }
        mounts.erase(std::next(last).base());
        return {};
    });
}

}  // namespace jaild::kernel::memory
