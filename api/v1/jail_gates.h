#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "api/http/offload.h"
#include "core/base/error.h"
#include "core/base/units.h"

namespace jaild::api {

/// Keeps a jail that hangs from taking the threads that the others need: so many calls into one jail are under way at a
/// time, and the rest of them wait without a thread. I/O thread only; outlives the coroutines that it lets in.
class JailGates {
public:
    /// `calls` of one jail at a time; whoever waited for `patience` is refused.
    JailGates(std::size_t calls, Milliseconds patience) : calls_(calls), patience_(patience) {}
    JailGates(const JailGates&) = delete;
    JailGates& operator=(const JailGates&) = delete;

    /// One call under way, until it is destroyed.
    class Pass {
    public:
        Pass(JailGates& gates, std::string jail) : gates_(&gates), jail_(std::move(jail)) {}
        Pass(Pass&& other) noexcept : gates_(std::exchange(other.gates_, nullptr)), jail_(std::move(other.jail_)) {}
        Pass& operator=(Pass&&) = delete;
        ~Pass() {
            if (gates_) gates_->leave(jail_);
        }

    private:
        JailGates* gates_;
        std::string jail_;
    };

    /// Errc::busy "jail_not_answering" when none of the calls under way has come back within the patience.
    asio::awaitable<Result<Pass>> enter(std::string jail);

private:
    class Waiter;
    struct Gate {
        std::size_t inside = 0;
        std::deque<Waiter*> waiting{};
    };

    /// Lets the next one in.
    void leave(const std::string& jail);

    std::size_t calls_;
    Milliseconds patience_;
    std::map<std::string, Gate> gates_;  ///< of the jails that somebody calls into
};

/// Runs `work`, which may hang with the jail, on `pool`; `work` as for offload(), and returns a Result.
template <class Work, class T = std::invoke_result_t<Work&>>
asio::awaitable<T> offload_through(JailGates& gates, std::string jail, asio::thread_pool& pool, Work work) {
    auto pass = co_await gates.enter(std::move(jail));
    if (!pass) co_return std::unexpected(std::move(pass.error()));
    co_return co_await offload(pool, std::move(work));
}

}  // namespace jaild::api
