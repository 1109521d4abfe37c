#include <sys/types.h>
// after <sys/types.h>
#include <sys/sysctl.h>
#include <sys/user.h>

#include <array>
#include <cerrno>
#include <string>

#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {

Result<std::optional<std::int64_t>> start_time(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    std::array<int, 4> name{CTL_KERN, KERN_PROC, KERN_PROC_PID, pid};
    kinfo_proc process{};
    std::size_t size = sizeof process;
    if (::sysctl(name.data(), static_cast<u_int>(name.size()), &process, &size, nullptr, 0) != 0) {
        if (errno == ESRCH) return std::nullopt;
        return std::unexpected(Error::from_errno("sysctl", errno, "kern.proc.pid." + std::to_string(pid)));
    }
    if (size != sizeof process || process.ki_pid != pid) return std::nullopt;
    return static_cast<std::int64_t>(process.ki_start.tv_sec) * 1'000'000 + process.ki_start.tv_usec;
}

Result<std::string> boot_id() {
    std::array<unsigned char, 16> bytes{};
    std::size_t size = bytes.size();
    if (::sysctlbyname("kern.boot_id", bytes.data(), &size, nullptr, 0) != 0 || size != bytes.size())
        return std::unexpected(Error::from_errno("sysctl", errno, "kern.boot_id"));
    std::string text;
    for (const unsigned byte : bytes)
        text.append(1, "0123456789abcdef"[byte >> 4]).append(1, "0123456789abcdef"[byte & 15]);
    return text;
}

}  // namespace jaild::shim
