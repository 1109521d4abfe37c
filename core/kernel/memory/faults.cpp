#include "core/kernel/memory/faults.h"

#include <cerrno>
#include <vector>

namespace jaild::kernel::memory {
namespace {

/// What system calls report when the machine, not the caller, is the reason.
const std::vector<int>& sudden_errors() {
    static const std::vector<int> errors{EIO, EBUSY, ENOMEM, ENOSPC, EAGAIN, EINTR};
    return errors;
}

}  // namespace

void Faults::clear() {
    std::lock_guard lock(mutex_);
    passed_ = 0;
    planned_.clear();
    always_.clear();
    dice_.reset();
    rates_ = {};
}

void Faults::fail(std::size_t number, int sys, When when) {
    std::lock_guard lock(mutex_);
    planned_[{number, when}] = sys;
}

void Faults::crash(std::size_t number, When when) {
    std::lock_guard lock(mutex_);
    planned_[{number, when}] = 0;
}

void Faults::always(std::string point, int sys) {
    std::lock_guard lock(mutex_);
    always_[std::move(point)] = sys;
}

void Faults::not_any_more(std::string_view point) {
    std::lock_guard lock(mutex_);
    if (const auto found = always_.find(point); found != always_.end()) always_.erase(found);
}

void Faults::random(std::uint64_t seed, const Rates& rates) {
    std::lock_guard lock(mutex_);
    dice_.emplace(seed);
    rates_ = rates;
}

void Faults::trace(std::function<void(std::size_t, std::string_view)> tracer) {
    std::lock_guard lock(mutex_);
    tracer_ = std::move(tracer);
}

std::size_t Faults::passed() const {
    std::lock_guard lock(mutex_);
    return passed_;
}

Result<std::size_t> Faults::enter(std::string_view point) {
    std::lock_guard lock(mutex_);
    const std::size_t number = ++passed_;
    if (tracer_) tracer_(number, point);
    if (auto spared = strike(number, point, When::before); !spared) return std::unexpected(spared.error());
    return number;
}

Result<void> Faults::leave(std::size_t number, std::string_view point) {
    std::lock_guard lock(mutex_);
    return strike(number, point, When::after);
}

void Faults::leave_whole(std::size_t number, std::string_view point) {
    std::lock_guard lock(mutex_);
    auto planned = planned_.find({number, When::after});
    if (planned != planned_.end() && planned->second == 0) throw Crash(number, point);
    if (dice_ && dice_->chance(rates_.crash / 2)) throw Crash(number, point);
}

Result<void> Faults::strike(std::size_t number, std::string_view point, When when) {
    if (auto planned = planned_.find({number, when}); planned != planned_.end()) {
        if (planned->second == 0) throw Crash(number, point);
        return std::unexpected(Error::from_errno(point, planned->second, "injected"));
    }
    if (const auto broken = always_.find(point); when == When::before && broken != always_.end())
        return std::unexpected(Error::from_errno(point, broken->second, "injected"));
    if (!dice_) return {};
    if (dice_->chance(rates_.crash / 2)) throw Crash(number, point);
    if (dice_->chance(when == When::before ? rates_.fail : rates_.fail_after)) {
        return std::unexpected(Error::from_errno(point, dice_->pick(sudden_errors()), "injected"));
    }
    return {};
}

}  // namespace jaild::kernel::memory
