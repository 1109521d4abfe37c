#pragma once

#include <optional>
#include <string>

#include "core/base/clock.h"
#include "core/base/units.h"
#include "core/model/status.h"

namespace jaild::reconcile {

/// The step that a round is at.
struct Doing {
    std::string step;  ///< "mount root/usr"
    Clock::Monotonic since;
    UtcTime at;
    Milliseconds allowed{0};  ///< what a program of the user's may take; 0: the step is a call that should be short
    bool told = false;        ///< somebody may have been told that it takes long
};

/// Nobody is told of a step that takes less.
inline constexpr Milliseconds kLongStep{10'000};

/// Condition "StepTakesLong": what it is, since when and for how long by now; reason "Hangs" for a call that has taken
/// longer than `deadline` beyond what it may. Nothing for a step that has not taken kLongStep. Pure.
std::optional<model::Condition> long_step(const Doing& doing, Clock::Monotonic now, Milliseconds deadline);

}  // namespace jaild::reconcile
