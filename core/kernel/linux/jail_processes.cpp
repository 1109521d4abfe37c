#include "core/kernel/linux/jail_processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/kernel/linux/pure/process_texts.h"

namespace jaild::kernel::proc {
namespace {

UniqueFd open_process(std::int64_t pid) {
    return UniqueFd(::open(("/proc/" + std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// Its first `limit` bytes; empty when the process is gone. Files of /proc give what there is with each read(2).
std::string read_file(const UniqueFd& process, const char* name, std::size_t limit) {
    const UniqueFd file(::openat(process.get(), name, O_RDONLY | O_CLOEXEC));
    std::string text(limit, '\0');
    std::size_t filled = 0;
    while (file && filled < limit) {
        const auto got = ::read(file.get(), text.data() + filled, limit - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        filled += static_cast<std::size_t>(got);
    }
    text.resize(filled);
    return text;
}

constexpr std::size_t kText = 16384;

/// In the group, and in a pid namespace beneath ours: runc's own programs, on their way into the jail, are not.
std::optional<Status> member(const UniqueFd& process, const std::string& group) {
    if (!is_in_group(read_file(process, "cgroup", kText), group)) return std::nullopt;
    auto status = parse_status(read_file(process, "status", kText));
    return status && status->nested ? status : std::nullopt;
}

std::uint64_t ticks_per_second() {
    static const auto ticks = static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L));
    return ticks;
}

/// The number of entries of /proc/<pid>/fd, from its size.
std::optional<std::uint64_t> counted_files(const std::string& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(status.st_size);
}

std::uint64_t count_entries(const std::string& directory) {
    struct Close {
        void operator()(DIR* stream) const { ::closedir(stream); }
    };
    const std::unique_ptr<DIR, Close> entries(::opendir(directory.c_str()));
    std::uint64_t count = 0;
    while (entries && ::readdir(entries.get()) != nullptr) ++count;
    return count - std::min<std::uint64_t>(count, 2);  // "." and ".."
}

}  // namespace

std::optional<JailProcess> look(std::int64_t pid, const std::string& group) {
    const auto process = open_process(pid);
    if (!process) return std::nullopt;
    const auto status = member(process, group);
    const auto stat = status ? parse_stat(read_file(process, "stat", kText)) : std::nullopt;
    if (!stat) return std::nullopt;
    static const auto page = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
    constexpr std::uint64_t kMicroseconds = 1'000'000;
    return JailProcess{.pid = pid,
                       .jail_pid = status->inner_pid,
                       .parent = stat->parent,
                       .uid = status->uid,
                       .cpu_us = stat->cpu_ticks * kMicroseconds / ticks_per_second(),
                       .resident_bytes = stat->resident_pages * page,
                       .age = age(stat->started_ticks),
                       .state = std::string(state_name(stat->state)),
                       .command = command_of(read_file(process, "cmdline", kMaxCommand), stat->name)};
}

Result<std::optional<UniqueFd>> hold(std::int64_t pid, const std::string& group) {
    UniqueFd held(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
    if (!held) {
        // EINVAL: a thread of another process has this number.
        if (errno == ESRCH || errno == EINVAL) return std::nullopt;
        return std::unexpected(Error::from_errno("pidfd_open", errno, "process " + std::to_string(pid)));
    }
    // Looked at once it is held. Had it ended by now and another one its number, the signal would reach neither.
    const auto process = open_process(pid);
    if (!process || !member(process, group)) return std::nullopt;
    return held;
}

bool send(const UniqueFd& process, int signal) {
    return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

std::optional<std::uint64_t> open_files(const std::vector<std::int64_t>& pids, Cost cost) {
    static const bool kernel_counts = counted_files("/proc/self/fd").value_or(0) > 0;
    if (!kernel_counts && cost == Cost::only_cheap) return std::nullopt;
    std::uint64_t sum = 0;
    for (const auto pid : pids) {
        const auto directory = "/proc/" + std::to_string(pid) + "/fd";
        sum += kernel_counts ? counted_files(directory).value_or(0) : count_entries(directory);
    }
    return sum;
}

Milliseconds age(std::uint64_t started_ticks) {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto since_boot = static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
    const auto started = static_cast<std::int64_t>(started_ticks * 1000 / ticks_per_second());
    return Milliseconds(std::max<std::int64_t>(since_boot - started, 0));
}

}  // namespace jaild::kernel::proc
