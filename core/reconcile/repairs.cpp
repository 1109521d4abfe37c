#include "core/reconcile/repairs.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace jaild::reconcile {
namespace {

constexpr Milliseconds kFirstPause{std::chrono::minutes{1}};
constexpr Milliseconds kLastPause{std::chrono::hours{1}};

}  // namespace

std::string Repairs::key_of(const std::vector<std::string>& steps) const {
    auto key = fmt::format("{}", fmt::join(steps, ", "));
    if (kinds_.contains(key) || kinds_.size() < kKinds) return key;
    return {};
}

std::optional<unsigned> Repairs::due(const std::vector<std::string>& steps, Clock::Monotonic now) const {
    const auto kind = kinds_.find(key_of(steps));
    if (kind == kinds_.end()) return 1;
    if (now >= kind->second.next) return kind->second.untold + 1;
    return kind->second.at_once > 0 ? std::optional(1U) : std::nullopt;
}

void Repairs::made(const std::vector<std::string>& steps, Clock::Monotonic now) {
    const auto key = key_of(steps);
    const auto known = kinds_.find(key);
    if (known == kinds_.end()) {
        kinds_[key] = {.next = now + kFirstPause, .pause = kFirstPause};
        return;
    }
    auto& kind = known->second;
    if (now < kind.next) {
        if (kind.at_once > 0)
            --kind.at_once;
        else
            ++kind.untold;
        return;
    }
    // After a pause without any it begins anew.
    const bool goes_on = kind.untold > 0;
    kind.pause = goes_on ? std::min(2 * kind.pause, kLastPause) : kFirstPause;
    kind.next = now + kind.pause;
    kind.untold = 0;
    if (!goes_on) kind.at_once = kAtOnce - 1;
}

}  // namespace jaild::reconcile
