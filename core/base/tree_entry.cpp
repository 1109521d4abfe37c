#include "core/base/tree_entry.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/path_walk.h"

#ifdef __linux__
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#endif

namespace jaild::files {

#ifdef __linux__

Result<EntryIdentity> identify(int directory, const std::string& name) {
    struct statx seen {};
    const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (::statx(directory, name.c_str(), flags, STATX_TYPE | STATX_INO | STATX_MNT_ID, &seen) != 0)
        return std::unexpected(Error::from_errno("statx", errno, name));
    if ((seen.stx_mask & STATX_MNT_ID) == 0)
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "statx",
                                     .detail = "this kernel cannot tell mounts apart",
                                     .reason = "kernel_too_old",
                                     .remedy = "run Linux 5.8 or newer"});
    return EntryIdentity{.mount = seen.stx_mnt_id,
                         .device = ::makedev(seen.stx_dev_major, seen.stx_dev_minor),
                         .inode = seen.stx_ino,
                         .directory = S_ISDIR(seen.stx_mode)};
}

Result<bool> clear_flags(int directory, const std::string& name) {
    const UniqueFd held(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!held) return std::unexpected(Error::from_errno("openat", errno, name));
    struct stat seen {};
    if (::fstat(held.get(), &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, name));
    if (!S_ISREG(seen.st_mode) && !S_ISDIR(seen.st_mode)) return false;
    const auto fd = reopen(held.get(), O_RDONLY | O_NONBLOCK);
    if (!fd) return std::unexpected(fd.error());
    int flags = 0;  // chattr(1)'s; the ioctl reads and writes an int, whatever its name says
    if (::ioctl(fd->get(), FS_IOC_GETFLAGS, &flags) != 0) return false;  // a filesystem without them
    if ((flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) == 0) return false;
    flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
    if (::ioctl(fd->get(), FS_IOC_SETFLAGS, &flags) != 0)
        return std::unexpected(Error::from_errno("FS_IOC_SETFLAGS", errno, name));
    return true;
}

#else

Result<EntryIdentity> identify(int directory, const std::string& name) {
    struct stat seen {};
    const int done =
        name.empty() ? ::fstat(directory, &seen) : ::fstatat(directory, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW);
    if (done != 0) return std::unexpected(Error::from_errno("fstatat", errno, name));
    // Each mount has its own device here, nullfs(5) too: it reports the filesystem id of its mount.
    const auto device = static_cast<std::uint64_t>(seen.st_dev);
    return EntryIdentity{.mount = device,
                         .device = device,
                         .inode = static_cast<std::uint64_t>(seen.st_ino),
                         .directory = S_ISDIR(seen.st_mode)};
}

Result<bool> clear_flags(int directory, const std::string& name) {
    struct stat seen {};
    if (::fstatat(directory, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
        return std::unexpected(Error::from_errno("fstatat", errno, name));
    constexpr auto kHolding = static_cast<decltype(seen.st_flags)>(SF_IMMUTABLE | SF_APPEND | SF_NOUNLINK |
                                                                   UF_IMMUTABLE | UF_APPEND | UF_NOUNLINK);
    if ((seen.st_flags & kHolding) == 0) return false;
    if (::chflagsat(directory, name.c_str(), seen.st_flags & ~kHolding, AT_SYMLINK_NOFOLLOW) != 0)
        return std::unexpected(Error::from_errno("chflagsat", errno, name));
    return true;
}

#endif

}  // namespace jaild::files
