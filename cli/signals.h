#pragma once

#include <pthread.h>
#include <signal.h>

#include <functional>
#include <mutex>
#include <string_view>
#include <thread>

namespace jaild::cli {

/// While it lives, signals that would end or tell this program something (SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
/// SIGUSR2, SIGWINCH) are a function's instead; those that whoever started us ignores stay ignored. Made before any
/// other thread, so that all of them leave these signals alone.
class SignalListener {
public:
    SignalListener();
    ~SignalListener();
    SignalListener(const SignalListener&) = delete;
    SignalListener& operator=(const SignalListener&) = delete;

    /// Called with each one, on a thread of its own; returns when the one before is not called any more. Nothing: they
    /// are dropped.
    void hand_to(std::function<void(int)> listener);

private:
    void run();

    sigset_t set_{};
    sigset_t before_{};
    std::mutex mutex_;
    std::function<void(int)> listener_;
    bool stopping_ = false;
    std::thread thread_;
};

/// "TERM".
std::string_view signal_name(int signal);

}  // namespace jaild::cli
