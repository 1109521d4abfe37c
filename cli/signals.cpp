#include "cli/signals.h"

#include <csignal>

namespace jaild::cli {
namespace {

constexpr int kWake = SIGWINCH;

bool is_ignored(int signal) {
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

SignalListener::SignalListener() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})
        if (!is_ignored(signal)) ::sigaddset(&set_, signal);
    ::sigaddset(&set_, kWake);
    // Ignored by default, which some kernels do before a blocked one is kept.
    std::signal(SIGWINCH, [](int) {});
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
    thread_ = std::thread([this] { run(); });
}

SignalListener::~SignalListener() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ::pthread_kill(thread_.native_handle(), kWake);
    thread_.join();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalListener::hand_to(std::function<void(int)> listener) {
    const std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
}

void SignalListener::run() {
    while (true) {
        int signal = 0;
        if (::sigwait(&set_, &signal) != 0) continue;
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        if (listener_) listener_(signal);
    }
}

std::string_view signal_name(int signal) {
    switch (signal) {
        case SIGINT:
            return "INT";
        case SIGHUP:
            return "HUP";
        case SIGQUIT:
            return "QUIT";
        case SIGUSR1:
            return "USR1";
        case SIGUSR2:
            return "USR2";
        default:
            return "TERM";
    }
}

}  // namespace jaild::cli
