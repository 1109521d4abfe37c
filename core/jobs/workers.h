#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/units.h"

namespace jaild::jobs {

/// A few threads and what waits for one of them. Thread-safe.
class Workers {
public:
    /// Starts nothing yet.
    explicit Workers(std::size_t threads) : wanted_(threads) {}
    ~Workers() { stop(); }
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    void start();
    /// Runs `work`, which blocks and throws nothing, when a thread is free; never once stop() was called.
    void add(std::function<void()> work);
    /// Waits for what is under way; the rest is dropped.
    void stop();
    [[nodiscard]] bool stopping() const;
    /// For work: does `attempt` until it is done, or all stops. What fails is told, and tried again after that time.
    void insist(const std::function<Result<void>()>& attempt, Milliseconds again,
                const std::function<void(const Error&)>& tell);
    /// For work that tries again: returns after that time, or at once when all stops (false then).
    bool pause(Milliseconds time);

private:
    void run();

    const std::size_t wanted_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> waiting_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace jaild::jobs
