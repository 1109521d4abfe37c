#pragma once

#include "core/base/clock.h"

namespace jaild::simulation {

/// A clock that stands still until it is told otherwise. The host's date may be set, too.
class SimulatedClock : public Clock {
public:
    Monotonic monotonic() override { return Monotonic(std::chrono::milliseconds(now_)); }
    UtcTime utc() override { return {kEpoch + now_ + set_}; }
    void advance(Milliseconds by) { now_ += by.count(); }
    /// To the past, too; what is monotonic knows nothing of it.
    void set_date(Milliseconds by) { set_ += by.count(); }

private:
    static constexpr std::int64_t kEpoch = 1'800'000'000'000;
    std::int64_t now_ = 1'000'000;
    std::int64_t set_ = 0;
};

}  // namespace jaild::simulation
