#pragma once

#include "core/base/clock.h"

namespace jaild::simulation {

/// A clock that stands still until it is told otherwise.
class SimulatedClock : public Clock {
public:
    Monotonic monotonic() override { return Monotonic(std::chrono::milliseconds(now_)); }
    UtcTime utc() override { return {kEpoch + now_}; }
    void advance(Milliseconds by) { now_ += by.count(); }

private:
    static constexpr std::int64_t kEpoch = 1'800'000'000'000;
    std::int64_t now_ = 1'000'000;
};

}  // namespace jaild::simulation
