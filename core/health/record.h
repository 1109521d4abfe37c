#pragma once

#include <string>

#include "core/base/clock.h"
#include "core/model/health.h"

/// Whether a jail does its work, from what its probes say. Pure.
namespace jaild::health {

/// How one probe ended.
struct Outcome {
    bool good = false;
    std::string message{};  ///< of a failure, for people: "connection refused"
};

/// Whose beginning it is that a record tells of.
enum class Begin {
    fresh,    ///< the jail has just come up: its start period begins
    adopted,  ///< it ran before somebody looked: it has none any more
};

/// Of one life of a jail, from when it came up.
class Record {
public:
    Record(Begin begin, Clock::Monotonic now, UtcTime utc) : begin_(begin), began_(now), began_at_(utc) {
        status_.since = utc;
    }

    void count(const model::HealthSpec& spec, const Outcome& outcome, Clock::Monotonic now, UtcTime utc);
    [[nodiscard]] const model::HealthStatus& status() const { return status_; }
    /// When to ask again: `interval`, or soon and then less and less often while it comes up.
    [[nodiscard]] Milliseconds next(const model::HealthSpec& spec, Clock::Monotonic now) const;
    /// From when it came up, or was adopted, to when it got the state that it has.
    [[nodiscard]] Milliseconds ran() const;

private:
    [[nodiscard]] bool comes_up(const model::HealthSpec& spec, Clock::Monotonic now) const;

    Begin begin_;
    Clock::Monotonic began_;
    UtcTime began_at_;
    unsigned early_ = 0;  ///< failures that did not count
    model::HealthStatus status_;
};

}  // namespace jaild::health
