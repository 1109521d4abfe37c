#include "core/kernel/shim/protocol/lock_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

#include "core/base/files.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {
namespace {

constexpr const char* kLockFile = "lock";

struct flock whole_file() {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    return range;
}

}  // namespace

Result<UniqueFd> take_lock(int directory) {
    auto file = files::open_beneath(directory, kLockFile, O_RDWR | O_CREAT, 0600);
    if (!file) return file;
    auto range = whole_file();
    if (::fcntl(file->get(), F_SETLK, &range) != 0) {
        if (errno != EAGAIN && errno != EACCES) return std::unexpected(Error::from_errno("fcntl", errno, kLockFile));
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "fcntl",
                                     .sys = errno,
                                     .detail = "another jaild-shim holds this jail",
                                     .reason = "held"});
    }
    const auto started = start_time(::getpid());
    if (!started) return std::unexpected(started.error());
    const auto line = std::to_string(::getpid()) + " " + std::to_string(started->value_or(0)) + "\n";
    if (::ftruncate(file->get(), 0) != 0 ||
        ::pwrite(file->get(), line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()))
        return std::unexpected(Error::from_errno("pwrite", errno, kLockFile));
    return file;
}

Result<std::optional<Holder>> holder_of(int directory) {
    const auto file = files::open_beneath(directory, kLockFile, O_RDONLY);
    if (!file && file.error().code == Errc::not_found) return std::nullopt;
    if (!file) return std::unexpected(file.error());
    auto range = whole_file();
    if (::fcntl(file->get(), F_GETLK, &range) != 0)
        return std::unexpected(Error::from_errno("fcntl", errno, kLockFile));
    if (range.l_type == F_UNLCK) return std::nullopt;
    std::array<char, 64> text{};
    if (::pread(file->get(), text.data(), text.size() - 1, 0) < 0)
        return std::unexpected(Error::from_errno("pread", errno, kLockFile));
    long long pid = 0;
    long long started = 0;
    if (std::sscanf(text.data(), "%lld %lld", &pid, &started) != 2 || pid != range.l_pid) return std::nullopt;
    const Holder holder{.pid = static_cast<pid_t>(pid), .start_time = started};
    const auto same = is_process(holder.pid, holder.start_time);
    if (!same) return std::unexpected(same.error());
    return *same ? std::optional(holder) : std::nullopt;
}

}  // namespace jaild::shim
