#include "daemon/shim/population.h"

#include <poll.h>

#include <csignal>
#include <utility>

#include "daemon/shim/platform.h"

namespace jaild::shim {
namespace {

constexpr std::chrono::seconds kLookAgain{1};
/// One that forks faster than it is killed meets the next signal.
constexpr std::chrono::milliseconds kKillAgain{100};

}  // namespace

void Population::watch(const Reply& reply) {
    if (!active_) {
        const auto before = record_.state;
        record_.state.command = CommandState::running;
        record_.state.command_pid = 0;
        record_.state.command_start = 0;
        if (const auto saved = record_.save(); !saved) {
            record_.state = before;
            return reply.fail("not_recorded", saved.error().to_string());
        }
        active_ = true;
        began_ = Clock::system().monotonic();
    }
    reply.finish(MessageType::done);
    look();
}

void Population::look() {
    if (!active_ || one_) return;
    loop_.cancel(std::exchange(retry_, 0));
    children_.reap();
    const auto first = static_cast<pid_t>(record_.state.jail_pid);
    auto found = platform::inhabitant(first, [this](pid_t pid) { return children_.knows(pid); });
    if (!found) {
        log_.note("who lives in this jail cannot be found out: " + found.error().to_string());
        retry_ = loop_.after(kLookAgain, [this] { look(); });
        return;
    }
    if (!*found) return emptied();
    one_ = std::move(*found);
    loop_.watch(one_->descriptor(), POLLIN, [this](short) {
        loop_.forget(one_->descriptor());
        one_.reset();
        look();
    });
}

void Population::stop(std::chrono::milliseconds grace, std::function<void()> done) {
    look();
    if (!active_) return done();
    stopping_.push_back(std::move(done));
    signal(SIGTERM);
    kill_timers_.push_back(loop_.after(grace, [this] { signal(SIGKILL); }));
}

void Population::signal(int number) {
    platform::signal_inhabitants(static_cast<pid_t>(record_.state.jail_pid), number);
    if (number == SIGKILL) kill_timers_.push_back(loop_.after(kKillAgain, [this] { signal(SIGKILL); }));
}

void Population::emptied() {
    active_ = false;
    streams_.drain();
    record_.state.command = CommandState::exited;
    record_.set_exit(0, 0, "emptied",
                     std::chrono::ceil<std::chrono::milliseconds>(Clock::system().monotonic() - began_));
    if (const auto saved = record_.save(); !saved) log_.note(saved.error().to_string());
    for (const auto timer : std::exchange(kill_timers_, {})) loop_.cancel(timer);
    for (const auto& done : std::exchange(stopping_, {})) done();
}

}  // namespace jaild::shim
