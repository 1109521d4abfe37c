#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/kernel/memory/dice.h"

namespace jaild::kernel::memory {

/// The daemon dies here, as by kill -9: thrown out of a port call, through everything that remembers anything. Not a
/// std::exception, so that no handler of ours swallows it; only a simulation catches it.
class Crash {
public:
    Crash(std::size_t number, std::string_view point) : number_(number), point_(point) {}
    [[nodiscard]] std::size_t number() const { return number_; }
    [[nodiscard]] std::string_view point() const { return point_; }

private:
    std::size_t number_;
    std::string_view point_;
};

/// Before a step nothing of it has happened; after it all has, and the caller does not learn so.
enum class When { before, after };

/// How often each thing happens at a point, 0 … 1.
struct Rates {
    double fail = 0;        ///< the step does not happen, an errno is returned
    double fail_after = 0;  ///< it happens, an errno is returned all the same
    double crash = 0;       ///< before or after, evenly
};

/// Every step that changes or reads the model passes here under a name and the next number, so that a test can strike
/// at any of them. Any thread.
class Faults {
public:
    /// Runs `effect` (returns Result<void>) unless a fault is due. `point` is a literal: "links.ensure.rename".
    template <class Effect>
    Result<void> step(std::string_view point, Effect&& effect) {
        auto number = enter(point);
        if (!number) return std::unexpected(number.error());
        if (auto done = std::forward<Effect>(effect)(); !done) return done;
        return leave(*number, point);
    }
    /// The same for an effect whose failure means that nothing of it happened, as a transaction's: it can fail before
    /// it, and crash before and after it, but never fail afterwards.
    template <class Effect>
    Result<void> transaction(std::string_view point, Effect&& effect) {
        auto number = enter(point);
        if (!number) return std::unexpected(number.error());
        if (auto done = std::forward<Effect>(effect)(); !done) return done;
        leave_whole(*number, point);
        return {};
    }
    /// A point without an effect of its own: the call itself.
    Result<void> at(std::string_view point) {
        return step(point, [] { return Result<void>{}; });
    }

    /// Faults off; the numbering begins again with 1.
    void clear();
    /// Adds a fault at the n-th point from the last clear(), counted from 1.
    void fail(std::size_t number, int sys, When when = When::before);
    void crash(std::size_t number, When when);
    /// Each time at the points of that name, until clear(): something that does not pass by itself.
    void always(std::string point, int sys);
    void not_any_more(std::string_view point);
    void random(std::uint64_t seed, const Rates& rates);
    /// Called with each point's number and name as it is entered; nullptr to stop. Must not call back.
    void trace(std::function<void(std::size_t, std::string_view)> tracer);
    /// How many points were entered since clear().
    [[nodiscard]] std::size_t passed() const;

private:
    Result<std::size_t> enter(std::string_view point);
    Result<void> leave(std::size_t number, std::string_view point);
    void leave_whole(std::size_t number, std::string_view point);
    Result<void> strike(std::size_t number, std::string_view point, When when);

    mutable std::mutex mutex_;
    std::size_t passed_ = 0;
    std::map<std::pair<std::size_t, When>, int> planned_;  ///< errno, 0: crash
    std::map<std::string, int, std::less<>> always_;       ///< errno by point
    std::optional<Dice> dice_;
    Rates rates_;
    std::function<void(std::size_t, std::string_view)> tracer_;
};

}  // namespace jaild::kernel::memory
