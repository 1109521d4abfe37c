#include "daemon/shim/loop.h"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace jaild::shim {

void Loop::watch(int fd, short events, Handler handler) {
    watched_[fd] = Watched{.events = events, .handler = std::make_shared<Handler>(std::move(handler))};
}

void Loop::change(int fd, short events) {
    if (const auto found = watched_.find(fd); found != watched_.end()) found->second.events = events;
}

void Loop::forget(int fd) {
    watched_.erase(fd);
}

Loop::TimerId Loop::after(std::chrono::milliseconds delay, Task task) {
    const auto id = ++last_timer_;
    timers_.emplace(std::pair{std::chrono::steady_clock::now() + delay, id}, std::move(task));
    return id;
}

void Loop::cancel(TimerId id) {
    std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
}

void Loop::run() {
    while (running_) {
        poll_once();
        run_timers();
    }
}

int Loop::wait_time() const {
    if (timers_.empty()) return -1;
    const auto left = timers_.begin()->first.first - std::chrono::steady_clock::now();
    const auto rounded_up = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<std::int64_t>(rounded_up, 0, 3'600'000));
}

void Loop::run_timers() {
    const auto now = std::chrono::steady_clock::now();
    while (running_ && !timers_.empty() && timers_.begin()->first.first <= now) {
        const auto task = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        task();
    }
}

void Loop::poll_once() {
    std::vector<pollfd> ready;
    std::vector<std::shared_ptr<Handler>> handlers;
    ready.reserve(watched_.size());
    handlers.reserve(watched_.size());
    for (const auto& [fd, watched] : watched_) {
        ready.push_back({.fd = fd, .events = watched.events, .revents = 0});
        handlers.push_back(watched.handler);
    }
    if (::poll(ready.data(), static_cast<nfds_t>(ready.size()), wait_time()) <= 0) return;
    for (std::size_t i = 0; i < ready.size() && running_; ++i) {
        if (ready[i].revents == 0) continue;
        // An earlier handler may have forgotten it, and the number may be another descriptor's by now.
        const auto found = watched_.find(ready[i].fd);
        if (found != watched_.end() && found->second.handler == handlers[i]) (*handlers[i])(ready[i].revents);
    }
}

}  // namespace jaild::shim
