#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace jaild::reconcile {

/// When a repair is told of. Every repair is made; but a jail whose own root disturbs it again and again must not fill
/// the events: the same steps are told of three times at once, then not before a minute has passed, two, four … up to
/// an hour, for as long as that goes on. Of one jail or network. Not thread-safe.
class Repairs {
public:
    /// How many repairs by these steps are untold, this one included; nothing: it is not to be told of now.
    [[nodiscard]] std::optional<unsigned> due(const std::vector<std::string>& steps, Clock::Monotonic now) const;
    /// That one was made, and told of if it was due.
    void made(const std::vector<std::string>& steps, Clock::Monotonic now);

private:
    /// Beyond it all other steps count as the same: a jail can invent any number of things to unmount.
    static constexpr std::size_t kKinds = 16;
    static constexpr unsigned kAtOnce = 3;
    struct Kind {
        unsigned at_once = kAtOnce - 1;  ///< so many more, whatever the time
        Clock::Monotonic next{};         ///< not told of before
        Milliseconds pause{};
        unsigned untold = 0;
    };
    [[nodiscard]] std::string key_of(const std::vector<std::string>& steps) const;

    std::map<std::string, Kind> kinds_;
};

}  // namespace jaild::reconcile
