#include "daemon/inside/enter.h"

#include <sys/param.h>
// after <sys/param.h>
#include <sys/jail.h>
#include <sys/procctl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/system/prisons.h"
#include "daemon/inside/child.h"

namespace jaild::inside {
Result<void> shed_host(int last) {
    int tracing = PROC_TRACE_CTL_DISABLE;
    if (::procctl(P_PID, 0, PROC_TRACE_CTL, &tracing) != 0) return std::unexpected(Error::from_errno("procctl", errno));
    // jail_attach(2) is EPERM while any directory is open, and nothing of the host's is to be found in there.
    ::closefrom(last + 1);
    return {};
}

Result<void> enter(const kernel::freebsd::JailReference& jail) {
    const auto gone = [&](int saved) {
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "jail_attach",
                                     .sys = saved,
                                     .detail = "jail " + jail.name + " is not there any more",
                                     .reason = "jail_not_found"});
    };
    if (!kernel::freebsd::is_still(jail)) return gone(0);
    if (::jail_attach(jail.jid) == 0) return {};
    if (errno == EINVAL) return gone(EINVAL);
    return std::unexpected(Error::from_errno("jail_attach", errno, jail.name));
}

Result<std::string> visit(const kernel::freebsd::JailReference& jail, Milliseconds patience,
                          const std::function<Result<std::string>()>& work) {
    auto pipe = Pipe::create();
    if (!pipe) return std::unexpected(pipe.error());
    const pid_t child = ::fork();
    if (child < 0) return std::unexpected(Error::from_errno("fork", errno));
    if (child == 0) {
        if (::dup2(pipe->write.get(), kAnswer) < 0) ::_exit(1);
        const auto answer = [&]() -> Result<std::string> {
            if (auto shed = shed_host(kAnswer); !shed) return std::unexpected(shed.error());
            if (auto entered = enter(jail); !entered) return std::unexpected(entered.error());
            return work();
        }();
        write_answer(kAnswer, answer);
        ::_exit(0);
    }
    pipe->write.reset();
    auto answer = read_answer(pipe->read.get(), patience);
    end(child);
    return answer;
}

}  // namespace jaild::inside
