#include "core/store/state_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace jaild::store {
namespace {

/// What the holder wrote; only for a person to read: the lock, not the number, is what counts.
std::string holder(int fd) {
    std::array<char, 32> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    std::string pid;
    for (ssize_t i = 0; i < size; ++i) {
        const char c = text[static_cast<std::size_t>(i)];
        if (c < '0' || c > '9') break;
        pid += c;
    }
    return pid.empty() ? "another process" : "process " + pid;
}

/// A courtesy to who is refused: when it fails (a full disk), the lock is good all the same.
void write_pid(int fd) {
    const auto text = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd, 0) != 0) return;
    [[maybe_unused]] const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
}

}  // namespace

Result<StateLock> StateLock::acquire(const std::filesystem::path& database) {
    auto path = database;
    path += ".lock";
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return std::unexpected(Error::from_errno("open", errno, fmt::format("opening {}", path.string())));

    int locked = -1;
    do {
        locked = ::flock(fd.get(), LOCK_EX | LOCK_NB);
    } while (locked != 0 && errno == EINTR);
    if (locked != 0) {
        if (errno != EWOULDBLOCK) {
            return std::unexpected(Error::from_errno("flock", errno, fmt::format("locking {}", path.string())));
        }
        return std::unexpected(Error{
            .code = Errc::conflict,
            .op = "flock",
            .detail = fmt::format("{} is in use by {}", database.parent_path().string(), holder(fd.get())),
            .reason = "state_in_use",
            .remedy = "stop that jaild, or give this one a state directory of its own with --state-dir",
        });
    }
    write_pid(fd.get());
    return StateLock(std::move(fd));
}

}  // namespace jaild::store
