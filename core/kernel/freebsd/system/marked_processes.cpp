#include "core/kernel/freebsd/system/marked_processes.h"

// after <sys/types.h>
#include <sys/sysctl.h>
#include <sys/user.h>

#include <array>
#include <cerrno>

namespace jaild::kernel::freebsd {
namespace {

Result<std::vector<kinfo_proc>> all_processes() {
    std::array<int, 3> name{CTL_KERN, KERN_PROC, KERN_PROC_PROC};
    const auto parts = static_cast<u_int>(name.size());
    for (;;) {
        std::size_t size = 0;
        if (::sysctl(name.data(), parts, nullptr, &size, nullptr, 0) != 0) break;
        std::vector<kinfo_proc> found(size / sizeof(kinfo_proc) + 16);  // some may start in between
        size = found.size() * sizeof(kinfo_proc);
        if (::sysctl(name.data(), parts, found.data(), &size, nullptr, 0) == 0) {
            found.resize(size / sizeof(kinfo_proc));
            return found;
        }
        if (errno != ENOMEM) break;
    }
    return std::unexpected(Error::from_errno("sysctl", errno, "kern.proc.proc"));
}

/// KERN_PROC_ARGS or KERN_PROC_ENV; empty when it is gone or nobody may know.
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

Result<std::vector<MarkedProcess>> processes_of(int jid, const std::string& program) {
    const auto all = all_processes();
    if (!all) return std::unexpected(all.error());
    std::vector<MarkedProcess> found;
    for (const auto& one : *all) {
        if (one.ki_jid != jid || one.ki_stat == SZOMB || program != one.ki_comm) continue;
        found.push_back({.pid = one.ki_pid,
                         .started = static_cast<std::int64_t>(one.ki_start.tv_sec) * 1'000'000 + one.ki_start.tv_usec,
                         .user = one.ki_uid,
                         .title = text_of(one.ki_pid, KERN_PROC_ARGS),
                         .environment = text_of(one.ki_pid, KERN_PROC_ENV)});
    }
    return found;
}

}  // namespace jaild::kernel::freebsd
