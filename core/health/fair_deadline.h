#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "core/base/clock.h"
#include "core/base/units.h"

/// Timeouts that blame nobody for a machine that is busy. On the thread of one io_context only.
namespace jaild::health {

/// How long the thread was kept from running, as a timer that comes late tells; only looked at while a FairDeadline
/// lives.
class Pulse {
public:
    using Duration = std::chrono::steady_clock::duration;
    explicit Pulse(boost::asio::io_context& io) : timer_(io) {}

    void enter();
    void leave();
    /// In all, up to now.
    [[nodiscard]] Duration stolen() const;

private:
    static constexpr Milliseconds kBeat{20};
    static constexpr Milliseconds kUsual{5};  ///< later than that is late
    [[nodiscard]] Duration lateness() const;
    void beat();

    boost::asio::steady_timer timer_;
    unsigned users_ = 0;
    Clock::Monotonic due_{};
    Duration stolen_{0};
};

/// Calls `expired` once, when `timeout` has passed without the time in which this thread did not run. Before that it
/// asks `answered`: an answer that is there already is read first, and gets a little more time for it, a few times.
/// Destroyed: never.
class FairDeadline {
public:
    FairDeadline(boost::asio::io_context& io, Pulse& pulse, Milliseconds timeout, std::function<bool()> answered,
                 std::function<void()> expired);
    FairDeadline(const FairDeadline&) = delete;
    FairDeadline& operator=(const FairDeadline&) = delete;
    ~FairDeadline();

private:
    struct State;
    static void wait(const std::shared_ptr<State>& state, Clock::Monotonic until);
    static void look(const std::shared_ptr<State>& state);

    Pulse& pulse_;
    std::shared_ptr<State> state_;
};

}  // namespace jaild::health
