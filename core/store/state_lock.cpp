#include "core/store/state_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

namespace jaild::store {
namespace {

/// A child of a killed daemon that has not come to its execve(2) yet still has the lock.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kPause{20};

/// What the holder wrote; nothing: it wrote no number.
std::optional<pid_t> holder(int fd) {
    std::array<char, 32> text{};
    const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
    pid_t pid = 0;
    if (size <= 0 || std::from_chars(text.data(), text.data() + size, pid).ec != std::errc{} || pid <= 0)
        return std::nullopt;
    return pid;
}

bool is_gone(pid_t pid) {
    return ::kill(pid, 0) != 0 && errno == ESRCH;
}

/// 0, or the errno. EWOULDBLOCK: somebody has it who lives.
int lock(int fd) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return errno;
        const auto pid = holder(fd);
        if (!pid || !is_gone(*pid) || std::chrono::steady_clock::now() > deadline) return EWOULDBLOCK;
        std::this_thread::sleep_for(kPause);
    }
    return 0;
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

    if (const int failed = lock(fd.get()); failed != 0) {
        if (failed != EWOULDBLOCK)
            return std::unexpected(Error::from_errno("flock", failed, fmt::format("locking {}", path.string())));
        const auto pid = holder(fd.get());
        return std::unexpected(Error{
            .code = Errc::conflict,
            .op = "flock",
            .detail = fmt::format("{} is in use by {}", database.parent_path().string(),
                                  pid ? fmt::format("process {}", *pid) : "another process"),
            .reason = "state_in_use",
            .remedy = "stop that jaild, or give this one a state directory of its own with --state-dir",
        });
    }
    write_pid(fd.get());
    return StateLock(std::move(fd));
}

}  // namespace jaild::store
