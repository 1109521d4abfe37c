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

}  // namespace

Result<UniqueFd> clone(const std::string& source, Submounts submounts, const Attributes& attributes) {
    const auto from = open_source(source);
    if (!from) return std::unexpected(from.error());
    const unsigned recursive = submounts == Submounts::include ? AT_RECURSIVE : 0;
    UniqueFd tree(::open_tree(from->get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
    if (!tree) return std::unexpected(Error::from_errno("open_tree", errno, source));

    std::uint64_t flags = MOUNT_ATTR_NODEV;
    if (attributes.read_only) flags |= MOUNT_ATTR_RDONLY;
    if (attributes.no_suid) flags |= MOUNT_ATTR_NOSUID;
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
