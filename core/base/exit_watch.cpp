#include "core/base/exit_watch.h"

#include <cerrno>

#ifdef __linux__
#include <sys/syscall.h>
#else
#include <sys/event.h>
#include <sys/time.h>
#endif

namespace jaild {

#ifdef __linux__

Result<ExitWatch> ExitWatch::create(pid_t pid) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // close-on-exec by itself
    if (!fd) return std::unexpected(Error::from_errno("pidfd_open", errno));
    return ExitWatch(std::move(fd));
}

#else

Result<ExitWatch> ExitWatch::create(pid_t pid) {
    // kqueuex(2) with KQUEUE_CLOEXEC is newer than 14.0; a kqueue is not inherited across fork(2) anyway.
    UniqueFd fd(::kqueue());
    if (!fd) return std::unexpected(Error::from_errno("kqueue", errno));
    struct kevent change {};
    // A zombie is reported at once.
    EV_SET(&change, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
    if (::kevent(fd.get(), &change, 1, nullptr, 0, nullptr) != 0)
        return std::unexpected(Error::from_errno("kevent", errno));
    return ExitWatch(std::move(fd));
}

#endif

}  // namespace jaild
