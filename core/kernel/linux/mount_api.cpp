#include "core/kernel/linux/mount_api.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>

namespace jaild::kernel::mount_api {

namespace {

Result<UniqueFd> open_source(const std::string& path) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
    if (!fd) return std::unexpected(Error::from_errno("openat2", errno, path));
    return fd;
}

Result<void> set(int tree, unsigned flags, std::uint64_t attributes, std::uint64_t propagation) {
    mount_attr wanted{};
    wanted.attr_set = attributes;
    wanted.propagation = propagation;
    if (::mount_setattr(tree, "", AT_EMPTY_PATH | flags, &wanted, sizeof wanted) != 0)
        return std::unexpected(Error::from_errno("mount_setattr", errno));
    return {};
}

unsigned flags_of(const Attributes& attributes) {
    unsigned flags = MOUNT_ATTR_NODEV;
    if (attributes.read_only) flags |= MOUNT_ATTR_RDONLY;
    if (attributes.no_suid) flags |= MOUNT_ATTR_NOSUID;
    if (attributes.no_exec) flags |= MOUNT_ATTR_NOEXEC;
    return flags;
}

}  // namespace

Result<UniqueFd> clone(const std::string& source, Submounts submounts, const Attributes& attributes) {
    const auto from = open_source(source);
    if (!from) return std::unexpected(from.error());
    return clone(from->get(), source, submounts, attributes);
}

Result<UniqueFd> make_tmpfs(Bytes size, const Attributes& attributes) {
    const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
    if (!context) return std::unexpected(Error::from_errno("fsopen", errno, "tmpfs"));
    const auto bytes = std::to_string(size.count);
    const bool set = ::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", "tmpfs", 0) == 0 &&
                     ::fsconfig(context.get(), FSCONFIG_SET_STRING, "mode", "1777", 0) == 0 &&
                     (size.count == 0 || ::fsconfig(context.get(), FSCONFIG_SET_STRING, "size", bytes.c_str(), 0) == 0);
    if (!set || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return std::unexpected(Error::from_errno("fsconfig", errno, "tmpfs"));
    UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, flags_of(attributes)));
    if (!tree) return std::unexpected(Error::from_errno("fsmount", errno, "tmpfs"));
    return tree;
}

Result<std::uint64_t> mount_id(int file) {
    struct statx seen {};
    if (::statx(file, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &seen) != 0)
        return std::unexpected(Error::from_errno("statx", errno));
    return seen.stx_mnt_id;
}

Result<UniqueFd> clone(int from, const std::string& source, Submounts submounts, const Attributes& attributes) {
    const unsigned recursive = submounts == Submounts::include ? AT_RECURSIVE : 0;
    UniqueFd tree(::open_tree(from, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
    if (!tree) return std::unexpected(Error::from_errno("open_tree", errno, source));

    const std::uint64_t flags = flags_of(attributes);
    // Private first: a copy of a shared mount is a member of its peer group.
    auto done = set(tree.get(), AT_RECURSIVE, flags, MS_PRIVATE);
    if (done && attributes.propagation == Propagation::shared) done = set(tree.get(), 0, 0, MS_SHARED);
    if (!done) {
        done.error().detail = source + ": " + done.error().detail;
        return std::unexpected(done.error());
    }
    return tree;
}

Result<void> attach(int tree, int target) {
    if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return std::unexpected(Error::from_errno("move_mount", errno));
    return {};
}

Result<bool> is_mount_root(int directory) {
    struct statx seen {};
    if (::statx(directory, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &seen) != 0)
        return std::unexpected(Error::from_errno("statx", errno));
    return (seen.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Result<void> unmount(int parent, const std::string& name, Busy busy) {
    // Through the descriptor of the parent: holding the mount itself would keep it busy, and a path from the top could
    // lead elsewhere by now.
    const std::string path = "/proc/self/fd/" + std::to_string(parent) + "/" + name;
    const int flags = UMOUNT_NOFOLLOW | (busy == Busy::detach ? MNT_DETACH : 0);
    if (::umount2(path.c_str(), flags) == 0 || errno == EINVAL || errno == ENOENT) return {};
    return std::unexpected(Error::from_errno("umount2", errno, name));
}

}  // namespace jaild::kernel::mount_api
