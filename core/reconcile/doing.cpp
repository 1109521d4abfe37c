#include "core/reconcile/doing.h"

#include <fmt/format.h>

namespace jaild::reconcile {

std::optional<model::Condition> long_step(const Doing& doing, Clock::Monotonic now, Milliseconds deadline) {
    using std::chrono::seconds;
    const auto taken = now - doing.since;
    if (taken < kLongStep) return std::nullopt;
    auto text = fmt::format("{} has taken {} s so far", doing.step, std::chrono::floor<seconds>(taken).count());
    const bool hangs = taken >= doing.allowed + deadline;
    if (hangs)
        text += "; nothing more is done to this jail until that call returns, and no other jail waits for it";
    else if (doing.allowed > Milliseconds{0})
        text += fmt::format(", of {} s that it may take", std::chrono::ceil<seconds>(doing.allowed).count());
    return model::Condition{.type = "StepTakesLong",
                            .status = true,
                            .reason = hangs ? "Hangs" : "StillRunning",
                            .message = std::move(text),
                            .since = doing.at};
}

}  // namespace jaild::reconcile
