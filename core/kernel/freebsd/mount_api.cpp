#include "core/kernel/freebsd/mount_api.h"

#include <fcntl.h>
#include <sys/param.h>
// after <sys/param.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include <cerrno>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/pure/mount_texts.h"

namespace jaild::kernel::freebsd::mount_api {

namespace {

/// vfs_mount_error(9) writes at most this.
constexpr std::size_t kMessageSize = 255;
/// Mounts that others make between the question how many there are and their list.
constexpr std::size_t kSlack = 16;

Mounted translate(const struct statfs& seen) {
    return {.id = {seen.f_fsid.val[0], seen.f_fsid.val[1]},
            .type = seen.f_fstypename,
            .from = seen.f_mntfromname,
            .point = seen.f_mntonname,
            .read_only = (seen.f_flags & MNT_RDONLY) != 0};
}

/// nmount(2)'s array refers to what it is made of.
class Vector {
public:
    void add(const std::string& name, const void* value, std::size_t size) {
        parts_.push_back({.iov_base = const_cast<char*>(name.c_str()), .iov_len = name.size() + 1});
        parts_.push_back({.iov_base = const_cast<void*>(value), .iov_len = size});
    }
    [[nodiscard]] iovec* data() { return parts_.data(); }
    [[nodiscard]] unsigned size() const { return static_cast<unsigned>(parts_.size()); }

private:
    std::vector<iovec> parts_;
};

/// The kernel loads the module of a type by itself (vfs_byname_kld in vfs_init.c), so it has none.
Error unknown_type(std::string_view type) {
    const std::string name(type);
    return {.code = Errc::unsupported,
            .op = "nmount",
            .sys = ENODEV,
            .detail = "this kernel has no file system " + name + ", and no module of that name could be loaded",
            .reason = "module_missing",
            .remedy = "kldload " + name + "; sysrc kld_list+=" + name};
}

}  // namespace

Result<std::vector<Mounted>> all() {
    std::vector<struct statfs> seen;
    for (;;) {
        const int expected = ::getfsstat(nullptr, 0, MNT_NOWAIT);
        if (expected < 0) return std::unexpected(Error::from_errno("getfsstat", errno));
        seen.resize(static_cast<std::size_t>(expected) + kSlack);
        const auto bytes = static_cast<long>(seen.size() * sizeof seen.front());
        const int found = ::getfsstat(seen.data(), bytes, MNT_NOWAIT);
        if (found < 0) return std::unexpected(Error::from_errno("getfsstat", errno));
        // A full array may have lost some.
        if (static_cast<std::size_t>(found) == seen.size()) continue;
        seen.resize(static_cast<std::size_t>(found));
        break;
    }
    std::vector<Mounted> mounts;
    mounts.reserve(seen.size());
    for (const auto& one : seen) mounts.push_back(translate(one));
    return mounts;
}

Result<Mounted> of(int directory) {
    struct statfs seen {};
    if (::fstatfs(directory, &seen) != 0) return std::unexpected(Error::from_errno("fstatfs", errno));
    return translate(seen);
}

Result<void> mount(const Mount& mount, const std::string& path) {
    const auto options = mount_options(mount, path);
    const std::string error_name = "errmsg";
    std::array<char, kMessageSize> message{};
    Vector vector;
    for (const auto& option : options) vector.add(option.name, option.value.c_str(), option.value.size() + 1);
    vector.add(error_name, message.data(), message.size());

    // The manual page of nmount(2) has an int for the flags; MNT_NOCOVER is beyond its 32 bits, and the kernel takes
    // "nocover" by name as well.
    int flags = 0;
    if (mount.read_only) flags |= static_cast<int>(MNT_RDONLY);
    if (mount.no_suid) flags |= static_cast<int>(MNT_NOSUID);
    if (mount.no_exec) flags |= static_cast<int>(MNT_NOEXEC);
    const std::string no_cover = "nocover";
    vector.add(no_cover, nullptr, 0);
    if (::nmount(vector.data(), vector.size(), flags) == 0) return {};
    const int saved = errno;
    if (saved == ENODEV) return std::unexpected(unknown_type(filesystem_type(mount.kind)));
    message.back() = '\0';
    std::string detail = mounted_from(mount) + " on " + path;
    if (message.front() != '\0') detail += std::string(": ") + message.data();
    return std::unexpected(Error::from_errno("nmount", saved, std::move(detail)));
}

Result<void> unmount(const Mounted& mounted, Busy busy) {
    const auto id = filesystem_id(mounted.id[0], mounted.id[1]);
    const int flags = static_cast<int>(MNT_BYFSID) | (busy == Busy::force ? static_cast<int>(MNT_FORCE) : 0);
    if (::unmount(id.c_str(), flags) == 0 || errno == ENOENT) return {};
    return std::unexpected(Error::from_errno("unmount", errno, mounted.point));
}

}  // namespace jaild::kernel::freebsd::mount_api
