#include "core/health/record.h"

#include <algorithm>

#include "core/base/utf8.h"

namespace jaild::health {
namespace {

constexpr Milliseconds kFirstWait{100};
constexpr Milliseconds kLongestWait{1'000};

}  // namespace

bool Record::comes_up(const model::HealthSpec& spec, Clock::Monotonic now) const {
    return status_.state == model::HealthState::starting && begin_ == Begin::fresh && now - began_ < spec.start_period;
}

void Record::count(const model::HealthSpec& spec, const Outcome& outcome, Clock::Monotonic now, UtcTime utc) {
    const auto enter = [&](model::HealthState state) {
        if (status_.state == state) return;
        status_.state = state;
        status_.since = utc;
    };
    if (outcome.good) {
        status_.failures = 0;
        status_.message.clear();
        return enter(model::HealthState::healthy);
    }
    status_.message = readable_line(outcome.message, model::HealthStatus::kMessageBytes);
    if (comes_up(spec, now)) {
        ++early_;
        return;
    }
    ++status_.failures;
    if (status_.failures >= spec.retries) enter(model::HealthState::unhealthy);
}

Milliseconds Record::next(const model::HealthSpec& spec, Clock::Monotonic now) const {
    if (!comes_up(spec, now)) return spec.interval;
    auto wait = kFirstWait;
    for (auto n = 1U; n < early_ && wait < kLongestWait; ++n) wait *= 2;
    return std::min({wait, kLongestWait, spec.interval});
}

Milliseconds Record::ran() const {
    return Milliseconds{std::max<std::int64_t>(0, status_.since.milliseconds - began_at_.milliseconds)};
}

}  // namespace jaild::health
