#include "core/kernel/freebsd/system/process_table.h"

// after <sys/types.h>
#include <sys/sysctl.h>
#include <sys/user.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jaild::kernel::freebsd {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

std::int64_t microseconds(const timeval& time) {
    return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_usec;
}

template <class Number>
std::uint64_t at_least_zero(Number value) {
    return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

ProcessRow row_of(const kinfo_proc& one) {
    static const auto page = static_cast<std::uint64_t>(::getpagesize());
    return {.pid = one.ki_pid,
            .parent = one.ki_ppid,
            .jid = one.ki_jid,
            .user = one.ki_uid,
            .started = microseconds(one.ki_start),
            .cpu_us = at_least_zero(one.ki_runtime),
            .gone_us = at_least_zero(microseconds(one.ki_childtime)),
            .resident_bytes = at_least_zero(one.ki_rssize) * page,
            .threads = at_least_zero(one.ki_numthreads),
            .reads = at_least_zero(one.ki_rusage.ru_inblock),
            .writes = at_least_zero(one.ki_rusage.ru_oublock),
            .state = one.ki_stat,
            .waits_for_disk = (one.ki_tdflags & TDF_SINTR) == 0,
            .name = std::string(static_cast<const char*>(one.ki_comm))};
}

/// KERN_PROC_ARGS or KERN_PROC_ENV.
std::string text_of(pid_t process, int what) {
    constexpr std::size_t kMost = 64 << 10;
    std::array<int, 4> name{CTL_KERN, KERN_PROC, what, process};
    std::string text(kMost, '\0');
    std::size_t size = text.size();
    if (::sysctl(name.data(), static_cast<u_int>(name.size()), text.data(), &size, nullptr, 0) != 0) return {};
    text.resize(size);
    return text;
}

}  // namespace

bool ProcessRow::zombie() const {
    return state == SZOMB;
}

Result<std::vector<ProcessRow>> process_table() {
    std::array<int, 3> name{CTL_KERN, KERN_PROC, KERN_PROC_PROC};
    const auto parts = static_cast<u_int>(name.size());
    for (;;) {
        std::size_t size = 0;
        if (::sysctl(name.data(), parts, nullptr, &size, nullptr, 0) != 0) break;
        std::vector<kinfo_proc> found(size / sizeof(kinfo_proc) + 16);  // some may start in between
        size = found.size() * sizeof(kinfo_proc);
        if (::sysctl(name.data(), parts, found.data(), &size, nullptr, 0) == 0) {
            std::vector<ProcessRow> rows(size / sizeof(kinfo_proc));
            std::transform(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(rows.size()), rows.begin(),
                           row_of);
            return rows;
        }
        if (errno != ENOMEM) break;
    }
    return std::unexpected(Error::from_errno("sysctl", errno, "kern.proc.proc"));
}

Result<std::optional<ProcessRow>> process_row(pid_t pid) {
    std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    kinfo_proc one{};
    std::size_t size = sizeof one;
    if (::sysctl(name.data(), static_cast<u_int>(name.size()), &one, &size, nullptr, 0) != 0) {
        if (errno == ESRCH) return std::nullopt;
        return std::unexpected(Error::from_errno("sysctl", errno, "kern.proc.pid." + std::to_string(pid)));
    }
    if (size != sizeof one || one.ki_pid != pid) return std::nullopt;
    return row_of(one);
}

std::string process_title(pid_t pid) {
    return text_of(pid, KERN_PROC_ARGS);
}

std::string process_environment(pid_t pid) {
    return text_of(pid, KERN_PROC_ENV);
}

std::string state_of(const ProcessRow& row) {
    switch (row.state) {
        case SRUN:
            return "running";
        case SSLEEP:
            return row.waits_for_disk ? "waiting" : "sleeping";
        case SSTOP:
            return "stopped";
        case SZOMB:
            return "zombie";
        case SLOCK:
            return "waiting";
        default:
            return "idle";
    }
}

}  // namespace jaild::kernel::freebsd
