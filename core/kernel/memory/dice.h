#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace jaild::kernel::memory {

/// Seeded chance. Its distributions are our own, because those of the standard differ between libraries and a seed
/// must replay everywhere; only the engine's output is specified.
class Dice {
public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}

    /// 0 … bound-1; `bound` is not 0. The bias of the remainder does not matter here.
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    std::int64_t between(std::int64_t first, std::int64_t last) {
        return first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first) + 1));
    }
    /// True in `probability` of all calls; draws even for 0 so that a rate does not shift what follows.
    bool chance(double probability) { return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability; }
    template <class T>
    const T& pick(const std::vector<T>& values) {
        return values[below(values.size())];
    }

private:
    std::mt19937_64 engine_;
};

}  // namespace jaild::kernel::memory
