#pragma once

#include <cstdint>
#include <set>

#include "core/base/clock.h"

namespace jaild::kernel::memory {

/// What a real kernel does now and then without anybody being wrong. All off unless a simulation asks for it.
struct Nature {
    std::uint64_t seed = 1;
    double linger = 0;       ///< a removed jail stays dying …
    int linger_rounds = 3;   ///< … for at most so many observations
    double busy_anchor = 0;  ///< loading an anchor meets another load: EBUSY
};

struct MemoryOptions {
    Nature nature{};
    Clock* clock = &Clock::system();                  ///< for last_exit; outlives the kernel
    std::set<int> devfs_rulesets{1, 2, 3, 4, 5, 10};  ///< that hide something; any other shows every device
    bool firewall = true;                             ///< the packet filter is on and has our anchor lines
    bool pfil_member = true;                          ///< bridged packets are filtered
};

}  // namespace jaild::kernel::memory
