#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/model/restart.h"
#include "core/model/status.h"

/// What a jail's restart policy makes of its command's ends. Pure.
namespace jaild::reconcile {

/// The restarts that one incarnation has had by its policy. Kept with what it was made with: a restart is counted by
/// the record with which it begins, so that a crash can neither lose nor repeat one.
struct Restarts {
    static constexpr std::size_t kKeptExits = 5;

    std::uint64_t count = 0;  ///< since the last start that somebody asked for
    unsigned row = 0;         ///< how many of them without a healthy time in between
    /// Of those within the window, how long ago the command ended by the time that it ran or waited for its restart
    /// since: the date of the host may be set, and the host may sleep. None without a limit.
    std::vector<Milliseconds> recent;
    Milliseconds waited{0};              ///< before the last one
    std::vector<model::LastExit> exits;  ///< that were answered with a restart, the last kKeptExits
    bool operator==(const Restarts&) const = default;
};

enum class Answer {
    leave,    ///< it stays ended
    restart,  ///< it is run again, when its wait is over
    give_up,  ///< its retries are spent
};

/// To a command of a whole jail that ended.
Answer answer_to(const model::RestartSpec& spec, const Restarts& before, const model::LastExit& exit);
/// With that restart.
Restarts counted(const model::RestartSpec& spec, Restarts before, const model::LastExit& exit);
/// From that end to the restart: nothing for the first in a row, then twice as long each time, and up to a quarter more
/// by the jail's id and their number, so that jails that end together do not come back together.
Milliseconds wait_before(const model::RestartSpec& spec, const Restarts& before, const model::LastExit& exit,
                         JailId id);

/// "exit code 3 after 0.2 s", "signal 9 after 17 s".
std::string to_string(const model::LastExit& exit);

nlohmann::json to_json(const Restarts& restarts);
/// What cannot be read counts nothing.
Restarts parse_restarts(const nlohmann::json& value);

}  // namespace jaild::reconcile
