#pragma once

#include <chrono>

#include "core/base/units.h"

namespace jaild {

/// The time, as a value that tests can control. Any thread.
class Clock {
public:
    using Monotonic = std::chrono::steady_clock::time_point;
    virtual ~Clock() = default;
    virtual Monotonic monotonic() = 0;
    virtual UtcTime utc() = 0;
    /// Both at once.
    struct Moment {
        Milliseconds monotonic;
        UtcTime utc;
    };
    Moment now() { return {std::chrono::floor<Milliseconds>(monotonic().time_since_epoch()), utc()}; }
    /// The machine's own clocks.
    static Clock& system();
};

}  // namespace jaild
