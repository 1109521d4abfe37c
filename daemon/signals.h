#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace jaild::daemon {

/// What the signals mean; each is called on the thread of Signals, one after the other, and may block.
struct SignalActions {
    std::function<void()> halt;           ///< SIGUSR1: the host goes down
    std::function<void()> reload;         ///< SIGHUP
    std::function<void(int number)> end;  ///< SIGTERM or SIGINT; the last that is called
};

/// Blocks those signals, and SIGPIPE's default, in this thread and those it starts: before any other is started.
void block_signals();

/// Waits for signals from construction on. An end waits for a halt that was asked for, even when both come at once: so
/// a service manager asks for the halt, then for the end, and waits for the process.
class Signals {
public:
    explicit Signals(SignalActions actions);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    /// Ends the thread, whether or not an end was asked for.
    ~Signals();

private:
    void run();

    SignalActions actions_;
    std::thread thread_;
};

}  // namespace jaild::daemon
