#include "api/v1/jail_gates.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace jaild::api {

/// Stands in line, and steps out of it when it is destroyed.
class JailGates::Waiter {
public:
    Waiter(JailGates& gates, std::string jail, asio::any_io_executor executor)
        : gates_(gates), jail_(std::move(jail)), timer_(std::move(executor), gates.patience_) {
        gates_.gates_[jail_].waiting.push_back(this);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        if (admitted_ && !taken_) gates_.leave(jail_);
        if (!admitted_) std::erase(gates_.gates_[jail_].waiting, this);
    }

    /// False when the patience is over.
    asio::awaitable<bool> wait() {
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        co_return admitted_;
    }
    void admit() {
        admitted_ = true;
        timer_.cancel();
    }
    Pass take() {
        taken_ = true;
        return {gates_, jail_};
    }

private:
    JailGates& gates_;
    std::string jail_;
    asio::steady_timer timer_;
    bool admitted_ = false;
    bool taken_ = false;
};

asio::awaitable<Result<JailGates::Pass>> JailGates::enter(std::string jail) {
    auto& gate = gates_[jail];
    if (gate.inside < calls_) {
        ++gate.inside;
        co_return Pass(*this, std::move(jail));
    }
    Waiter waiter(*this, std::move(jail), co_await asio::this_coro::executor);
    const bool admitted = co_await waiter.wait();
    if (admitted) co_return waiter.take();
    co_return std::unexpected(
        Error{.code = Errc::busy,
              .op = "enter",
              .detail = fmt::format("{} calls into this jail are under way, and none has come back within {} s", calls_,
                                    patience_.count() / 1000),
              .reason = "jail_not_answering",
              .remedy = "look at the jail's jaild-shim: it may be stopped, or wait for a disk"});
}

void JailGates::leave(const std::string& jail) {
    const auto found = gates_.find(jail);
    auto& gate = found->second;
    if (!gate.waiting.empty()) {
        auto* next = gate.waiting.front();
        gate.waiting.pop_front();
        next->admit();  // in the place of the one that left
        return;
    }
    if (--gate.inside == 0) gates_.erase(found);
}

}  // namespace jaild::api
