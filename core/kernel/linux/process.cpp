#include "core/kernel/linux/process.h"

#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::kernel {

Result<std::optional<ProcessHandle>> ProcessHandle::open(const ProcessIdentity& process) {
    const auto pid = static_cast<pid_t>(process.pid);
    if (pid <= 0) return std::nullopt;
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!fd) {
        // EINVAL: a thread of another process has this number now.
        if (errno == ESRCH || errno == EINVAL) return std::nullopt;
        return std::unexpected(Error::from_errno("pidfd_open", errno, "process " + std::to_string(pid)));
    }
    // Read once the handle is held: if it agrees now, the handle is of that process.
    const auto same = shim::is_process(pid, process.started);
    if (!same) return std::unexpected(same.error());
    ProcessHandle handle(std::move(fd));
    if (!*same || handle.wait(Deadline::min())) return std::nullopt;
    return handle;
}

void ProcessHandle::kill(int signal) const {
    ::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0);
}

bool ProcessHandle::wait(Deadline deadline) const {
    using std::chrono::milliseconds;
    for (;;) {
        const auto now = std::chrono::steady_clock::now();
        const auto left = now < deadline ? std::chrono::ceil<milliseconds>(deadline - now) : milliseconds(0);
        pollfd ended{fd_.get(), POLLIN, 0};
        const int ready = ::poll(&ended, 1, static_cast<int>(std::min(left, milliseconds(60'000)).count()));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
        if (ready == 0 && left.count() == 0) return false;
    }
}

}  // namespace jaild::kernel
