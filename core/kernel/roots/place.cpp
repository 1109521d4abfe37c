#include "core/kernel/roots/place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "core/base/files.h"
#include "core/base/random.h"

namespace jaild::kernel::place {

namespace {

std::string temporary_name() {
    return ".jaild-" + random_hex(8) + ".tmp";
}

Error failed(std::string_view op, const std::string& name) {
    return Error::from_errno(op, errno, name);
}

/// Gives a finished entry its name. A directory in the way goes first: rename(2) replaces all but that.
Result<void> take_name(int parent, const std::string& temporary, const std::string& name) {
    if (::renameat(parent, temporary.c_str(), parent, name.c_str()) == 0) return {};
    if (errno == EISDIR) {
        if (auto removed = files::remove_tree(parent, name); !removed) return removed;
        if (::renameat(parent, temporary.c_str(), parent, name.c_str()) == 0) return {};
    }
    return std::unexpected(failed("renameat", name));
}

Result<void> fill(int fd, const std::string& name, std::string_view content, unsigned mode) {
    while (!content.empty()) {
        const ssize_t put = ::write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return std::unexpected(failed("write", name));
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    if (::fchmod(fd, static_cast<mode_t>(mode)) != 0) return std::unexpected(failed("fchmod", name));
        // Its blocks are on their way before the directory's fsync(2), which then commits both (ext4, data=ordered): a
        // power failure leaves no empty file behind, and nothing waits here.
#ifdef __linux__
    ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
    return {};
}

}  // namespace

Result<UniqueFd> directory(int parent, const std::string& name, unsigned mode) {
    constexpr int flags = O_RDONLY | O_DIRECTORY;
    auto held = files::open_beneath(parent, name, flags);
    if (held) return held;
    struct stat seen {};
    if (::fstatat(parent, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(seen.st_mode)) return held;  // it cannot be opened for another reason
        if (::unlinkat(parent, name.c_str(), 0) != 0) return std::unexpected(failed("unlinkat", name));
    }
    return files::make_directories(parent, name, mode);
}

Result<void> file(int parent, const std::string& name, std::string_view content, unsigned mode) {
    const std::string temporary = temporary_name();
    auto fd = files::open_beneath(parent, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (!fd) return std::unexpected(fd.error());
    auto done = fill(fd->get(), name, content, mode);
    if (done) done = take_name(parent, temporary, name);
    if (!done) ::unlinkat(parent, temporary.c_str(), 0);
    return done;
}

Result<void> link(int parent, const std::string& name, const std::string& target) {
    std::array<char, PATH_MAX> there{};
    const ssize_t length = ::readlinkat(parent, name.c_str(), there.data(), there.size());
    if (length >= 0 && target == std::string_view(there.data(), static_cast<std::size_t>(length))) return {};
    if (length < 0 && errno == ENOENT) {
        if (::symlinkat(target.c_str(), parent, name.c_str()) == 0) return {};
        if (errno != EEXIST) return std::unexpected(failed("symlinkat", name));
    }
    const std::string temporary = temporary_name();
    if (::symlinkat(target.c_str(), parent, temporary.c_str()) != 0) return std::unexpected(failed("symlinkat", name));
    auto done = take_name(parent, temporary, name);
    if (!done) ::unlinkat(parent, temporary.c_str(), 0);
    return done;
}

}  // namespace jaild::kernel::place
