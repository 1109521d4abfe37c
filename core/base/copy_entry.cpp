#include "core/base/copy_entry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#ifdef __linux__
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#else
#include <sys/acl.h>
#include <sys/extattr.h>
#include <sys/types.h>
#endif

namespace jaild::files {
namespace {

/// Of one copy_file_range(2), so that a large file can be interrupted.
constexpr off_t kChunk = 16 << 20;
constexpr off_t kBlock = 512;  ///< of st_blocks

/// Errors that say "not this way", where reading and writing still works.
bool another_way(int saved) {
    return saved == EXDEV || saved == ENOSYS || saved == EOPNOTSUPP || saved == EINVAL || saved == ENOTTY;
}

/// How many bytes; 0 at the end of the file.
Result<off_t> read_and_write(int from, int to, off_t at, off_t length) {
    std::array<char, 128 * 1024> buffer;
    const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(length));
    const ssize_t got = ::pread(from, buffer.data(), wanted, at);
    if (got < 0) return std::unexpected(Error::from_errno("pread", errno));
    for (ssize_t done = 0; done < got;) {
        const ssize_t put = ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done), at + done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return std::unexpected(Error::from_errno("pwrite", errno));
        done += put;
    }
    return got;
}

}  // namespace

/// What lies between two holes.
Result<bool> ContentCopier::range(int from, int to, off_t begin, off_t end, const CopiedBytes& copied) {
    for (off_t at = begin; at < end;) {
        off_t done = 0;
        if (range_) {
            off_t read_at = at;
            off_t write_at = at;
            const auto length = static_cast<std::size_t>(std::min(end - at, kChunk));
            done = ::copy_file_range(from, &read_at, to, &write_at, length, 0);
            if (done < 0 && errno == EINTR) continue;
            if (done < 0 && !another_way(errno)) return std::unexpected(Error::from_errno("copy_file_range", errno));
            if (done < 0) {
                range_ = false;
                continue;
            }
        } else {
            const auto put = read_and_write(from, to, at, end - at);
            if (!put) return std::unexpected(put.error());
            done = *put;
        }
        if (done == 0) return true;  // it became shorter meanwhile
        at += done;
        if (!copied(static_cast<std::uint64_t>(done))) return false;
    }
    return true;
}

#ifdef __linux__

/// lseek(2): SEEK_DATA and SEEK_HOLE.
Result<bool> ContentCopier::extents(int from, int to, off_t size, const CopiedBytes& copied) {
    for (off_t at = 0; at < size;) {
        off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;  // a hole to the end
        if (data < 0 && errno != EINVAL) return std::unexpected(Error::from_errno("lseek", errno));
        const bool blind = data < 0;  // a file system without holes
        if (blind) data = at;
        off_t hole = blind ? size : ::lseek(from, data, SEEK_HOLE);
        if (hole < 0) return std::unexpected(Error::from_errno("lseek", errno));
        hole = std::min(hole, size);
        const auto done = range(from, to, data, hole, copied);
        if (!done || !*done) return done;
        at = hole;
    }
    // What no data follows is a hole too.
    if (::ftruncate(to, size) != 0) return std::unexpected(Error::from_errno("ftruncate", errno));
    return true;
}

Result<bool> ContentCopier::copy(int from, int to, const struct stat& seen, const CopiedBytes& copied) {
    if (seen.st_size == 0) return true;
    if (clone_) {
        if (::ioctl(to, FICLONE, from) == 0) return copied(static_cast<std::uint64_t>(seen.st_size));
        if (!another_way(errno)) return std::unexpected(Error::from_errno("FICLONE", errno));
        clone_ = false;
    }
    if (seen.st_blocks * kBlock < seen.st_size) return extents(from, to, seen.st_size, copied);
    return range(from, to, 0, seen.st_size, copied);
}

#else

/// copy_file_range(2) finds the holes by itself, and a hole at the end too.
Result<bool> ContentCopier::extents(int from, int to, off_t size, const CopiedBytes& copied) {
    const auto done = range(from, to, 0, size, copied);
    if (!done || !*done) return done;
    struct stat made {};
    if (::fstat(to, &made) != 0) return std::unexpected(Error::from_errno("fstat", errno));
    if (made.st_size < size && ::ftruncate(to, size) != 0)
        return std::unexpected(Error::from_errno("ftruncate", errno));
    return true;
}

Result<bool> ContentCopier::copy(int from, int to, const struct stat& seen, const CopiedBytes& copied) {
    if (seen.st_size == 0) return true;
    if (seen.st_blocks * kBlock < seen.st_size) return extents(from, to, seen.st_size, copied);
    return range(from, to, 0, seen.st_size, copied);
}

#endif

#ifdef __linux__

namespace {

/// xattr(7) has no call that takes what O_PATH opened; the link in /proc leads to that very file.
std::string self(int file) {
    return "/proc/self/fd/" + std::to_string(file);
}

/// Grows the buffer until `get` finds it large enough; empty when there is nothing or no such thing.
template <class Get>
Result<std::vector<char>> grown(std::string_view op, Get get) {
    std::vector<char> buffer(256);
    for (;;) {
        const ssize_t got = get(buffer.data(), buffer.size());
        if (got >= 0) {
            buffer.resize(static_cast<std::size_t>(got));
            return buffer;
        }
        if (errno == ENODATA || errno == EOPNOTSUPP) return std::vector<char>{};
        if (errno != ERANGE || buffer.size() > (1U << 20)) return std::unexpected(Error::from_errno(op, errno));
        buffer.resize(buffer.size() * 4);
    }
}

}  // namespace

Result<void> copy_attached(int from, int to) {
    const auto source = self(from);
    const auto names =
        grown("listxattr", [&](char* into, std::size_t size) { return ::listxattr(source.c_str(), into, size); });
    if (!names) return std::unexpected(names.error());
    const auto target = names->empty() ? std::string() : self(to);
    for (std::size_t at = 0; at < names->size();) {
        const char* const name = names->data() + at;
        at += std::string_view(name).size() + 1;
        const auto value = grown(
            "getxattr", [&](char* into, std::size_t size) { return ::getxattr(source.c_str(), name, into, size); });
        if (!value) return std::unexpected(value.error());
        if (::setxattr(target.c_str(), name, value->data(), value->size(), 0) != 0)
            return std::unexpected(Error::from_errno("setxattr", errno, name));
    }
    return {};
}

Result<void> set_flags(int, const struct stat&) {
    return {};
}

Result<void> set_flags(int, const char*, const struct stat&) {
    return {};
}

#else

namespace {

constexpr auto kKeptFlags = static_cast<unsigned>(SF_IMMUTABLE | SF_APPEND | SF_NOUNLINK | SF_ARCHIVED | UF_IMMUTABLE |
                                                  UF_APPEND | UF_NOUNLINK | UF_NODUMP | UF_OPAQUE | UF_HIDDEN);

Result<void> copy_acl(int from, int to, acl_type_t type) {
    const acl_t acl = ::acl_get_fd_np(from, type);
    // No ACLs here, or none of this type; an O_PATH descriptor of a FIFO has none to show.
    if (acl == nullptr) {
        if (errno == EOPNOTSUPP || errno == EINVAL || errno == EBADF || errno == ENOENT) return {};
        return std::unexpected(Error::from_errno("acl_get_fd_np", errno));
    }
    int trivial = 0;
    const bool plain = ::acl_is_trivial_np(acl, &trivial) == 0 && trivial != 0;
    acl_entry_t first = nullptr;
    const bool empty = ::acl_get_entry(acl, ACL_FIRST_ENTRY, &first) != 1;  // a directory without default entries
    const int done = plain || empty ? 0 : ::acl_set_fd_np(to, acl, type);
    const int saved = errno;
    ::acl_free(acl);
    if (done != 0) return std::unexpected(Error::from_errno("acl_set_fd_np", saved));
    return {};
}

Result<void> copy_acls(int from, int to, bool directory) {
    if (::fpathconf(from, _PC_ACL_NFS4) == 1) return copy_acl(from, to, ACL_TYPE_NFS4);
    if (::fpathconf(from, _PC_ACL_EXTENDED) != 1) return {};
    auto done = copy_acl(from, to, ACL_TYPE_ACCESS);
    if (done && directory) done = copy_acl(from, to, ACL_TYPE_DEFAULT);
    return done;
}

}  // namespace

/// extattr(2): a list is names without an end, each after a byte that says its length.
Result<void> copy_attached(int from, int to) {
    struct stat seen {};
    if (::fstat(from, &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno));
    if (!S_ISREG(seen.st_mode) && !S_ISDIR(seen.st_mode)) return {};
    if (auto done = copy_acls(from, to, S_ISDIR(seen.st_mode)); !done) return done;
    const ssize_t length = ::extattr_list_fd(from, EXTATTR_NAMESPACE_USER, nullptr, 0);
    if (length < 0 && (errno == EOPNOTSUPP || errno == EPERM)) return {};
    if (length < 0) return std::unexpected(Error::from_errno("extattr_list_fd", errno));
    if (length == 0) return {};
    std::vector<unsigned char> names(static_cast<std::size_t>(length));
    const ssize_t listed = ::extattr_list_fd(from, EXTATTR_NAMESPACE_USER, names.data(), names.size());
    if (listed < 0) return std::unexpected(Error::from_errno("extattr_list_fd", errno));
    names.resize(static_cast<std::size_t>(listed));
    for (std::size_t at = 0; at < names.size(); at += names[at] + 1U) {
        if (at + 1 + names[at] > names.size()) break;
        const std::string name(reinterpret_cast<const char*>(&names[at + 1]), names[at]);
        const ssize_t size = ::extattr_get_fd(from, EXTATTR_NAMESPACE_USER, name.c_str(), nullptr, 0);
        if (size < 0 && errno == ENOATTR) continue;
        if (size < 0) return std::unexpected(Error::from_errno("extattr_get_fd", errno, name));
        std::vector<char> value(static_cast<std::size_t>(size));
        const ssize_t got = ::extattr_get_fd(from, EXTATTR_NAMESPACE_USER, name.c_str(), value.data(), value.size());
        if (got < 0) return std::unexpected(Error::from_errno("extattr_get_fd", errno, name));
        const auto kept = static_cast<std::size_t>(got);
        if (::extattr_set_fd(to, EXTATTR_NAMESPACE_USER, name.c_str(), value.data(), kept) < 0)
            return std::unexpected(Error::from_errno("extattr_set_fd", errno, name));
    }
    return {};
}

Result<void> set_flags(int file, const struct stat& seen) {
    const unsigned flags = static_cast<unsigned>(seen.st_flags) & kKeptFlags;
    if (flags == 0 || ::fchflags(file, flags) == 0) return {};
    return std::unexpected(Error::from_errno("fchflags", errno));
}

Result<void> set_flags(int directory, const char* name, const struct stat& seen) {
    const unsigned flags = static_cast<unsigned>(seen.st_flags) & kKeptFlags;
    if (flags == 0 || ::chflagsat(directory, name, flags, AT_SYMLINK_NOFOLLOW) == 0) return {};
    return std::unexpected(Error::from_errno("chflagsat", errno, name));
}

#endif

}  // namespace jaild::files
