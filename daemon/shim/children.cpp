#include "daemon/shim/children.h"

#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace jaild::shim {
namespace {

/// waitid(2) that leaves the child as it is. 0: it runs; -1: it is not ours.
pid_t look(idtype_t type, id_t id, ChildExit* exit) {
    siginfo_t info{};
    int done = -1;
    do {
        done = ::waitid(type, id, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (done != 0 && errno == EINTR);
    if (done != 0) return -1;
    if (info.si_pid != 0 && exit != nullptr) {
        const bool signaled = info.si_code != CLD_EXITED;
        exit->signal = signaled ? info.si_status : 0;
        exit->exit_code = signaled ? 128 + info.si_status : info.si_status;
    }
    return info.si_pid;
}

}  // namespace

void Children::add(pid_t pid, Handler handler) {
    handlers_[pid] = std::move(handler);
    again_ = true;
}

bool Children::is_child(pid_t pid) {
    return pid > 0 && look(P_PID, static_cast<id_t>(pid), nullptr) >= 0;
}

void Children::end_expecting() {
    --expected_;
    again_ = true;
}

pid_t Children::find_ended(ChildExit& exit) const {
    if (expected_ == 0) return look(P_ALL, 0, &exit);
    for (const auto& [pid, handler] : handlers_)
        if (look(P_PID, static_cast<id_t>(pid), &exit) == pid) return pid;
    return 0;
}

bool Children::reap_one() {
    ChildExit exit;
    const auto pid = find_ended(exit);
    if (pid <= 0) return false;
    Handler handler;
    if (const auto found = handlers_.find(pid); found != handlers_.end()) {
        handler = std::move(found->second);
        handlers_.erase(found);
    }
    if (handler) handler(exit);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
    return true;
}

void Children::reap() {
    if (reaping_) return;  // a handler's call: the loop below goes on anyway
    reaping_ = true;
    do {
        again_ = false;
        while (reap_one()) continue;
    } while (again_);
    reaping_ = false;
}

}  // namespace jaild::shim
