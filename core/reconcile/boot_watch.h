#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/model/jail.h"

namespace jaild::reconcile {

/// What becomes of the jails that a daemon finds not running at its start: told to whoever reads the log of a boot. One
/// thread.
class BootWatch {
public:
    static constexpr Milliseconds kPatience{120'000};  ///< who has not come up by then is named, and no more is said

    /// One that is to run, and what is known of it.
    struct Seen {
        std::string name;
        bool runs = false;
        bool waits = false;     ///< for another jail
        std::string problem{};  ///< of one that does not run
    };
    struct Line {
        bool warning = false;
        std::string text;
    };

    /// Those that are to be started. Once; none: nothing is ever said.
    void begin(std::vector<JailId> jails, Clock::Monotonic now);
    [[nodiscard]] bool watching() const { return !jails_.empty(); }
    [[nodiscard]] const std::vector<JailId>& jails() const { return jails_; }
    /// Each of jails() that is still to run. How far they are, if there is something new to say.
    std::optional<Line> look(const std::vector<Seen>& jails, Clock::Monotonic now);

private:
    std::vector<JailId> jails_;
    Clock::Monotonic begun_{};
    std::string said_;
};

}  // namespace jaild::reconcile
