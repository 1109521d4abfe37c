#include "daemon/signals.h"

#include <ctime>
#include <utility>

namespace jaild::daemon {
namespace {

sigset_t waited_for() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGUSR1, SIGHUP, SIGTERM, SIGINT}) sigaddset(&set, number);
    return set;
}

/// Takes it back from the pending ones. Which of several sigwait(2) returns first differs from system to system.
bool take_pending(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    const timespec now{};
    return sigtimedwait(&set, nullptr, &now) == number;
}

}  // namespace

void block_signals() {
    const auto set = waited_for();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

Signals::Signals(SignalActions actions) : actions_(std::move(actions)), thread_([this] { run(); }) {}

Signals::~Signals() {
    pthread_kill(thread_.native_handle(), SIGTERM);
    thread_.join();
}

void Signals::run() {
    const auto set = waited_for();
    while (true) {
        int number = 0;
        if (sigwait(&set, &number) != 0) continue;
        if (number == SIGUSR1) {
            actions_.halt();
        } else if (number == SIGHUP) {
            actions_.reload();
        } else {
            if (take_pending(SIGUSR1)) actions_.halt();
            return actions_.end(number);
        }
    }
}

}  // namespace jaild::daemon
