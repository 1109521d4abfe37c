#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace jaild::shim {

/// The shim's one thread: poll(2) over descriptors and deadlines. Handlers may watch and forget anything, themselves
/// too.
class Loop {
public:
    using Handler = std::function<void(short ready)>;
    using Task = std::function<void()>;
    using TimerId = std::uint64_t;

    /// `fd` stays the caller's, who forgets it before closing it. POLLHUP and POLLERR are always reported.
    void watch(int fd, short events, Handler handler);
    void change(int fd, short events);
    void forget(int fd);

    /// Monotonic time; 0 is never an id.
    TimerId after(std::chrono::milliseconds delay, Task task);
    void cancel(TimerId id);

    void run();
    void stop() { running_ = false; }

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Watched {
        short events = 0;
        std::shared_ptr<Handler> handler;  ///< kept while it runs, though it forgets itself
    };
    [[nodiscard]] int wait_time() const;
    void run_timers();
    void poll_once();

    std::map<int, Watched> watched_;
    std::map<std::pair<Time, TimerId>, Task> timers_;
    TimerId last_timer_ = 0;
    bool running_ = true;
};

}  // namespace jaild::shim
