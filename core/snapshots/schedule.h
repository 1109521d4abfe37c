#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/model/snapshot.h"

/// What a schedule asks for at a moment. Pure.
namespace jaild::snapshots {

/// Of those that jaild makes by itself before a restoration or an upgrade, so many of a jail stay.
inline constexpr std::size_t kKeptOfOthers = 3;

struct Due {
    std::vector<std::string> take{};  ///< series: "hourly"
    std::vector<model::Snapshot> prune{};
    bool operator==(const Due&) const = default;
};

/// `schedule`: of a jail's spec, how many of each series are kept; `there`: its snapshots, by id. A series is due when
/// the newest of it was made in another hour, day, week (from Monday) or month of UTC than `now` is in, whichever way
/// the clock went: one, however much time has passed.
Due due(const std::map<std::string, unsigned>& schedule, const std::vector<model::Snapshot>& there, UtcTime now);

/// "hourly-20261122-1900".
std::string scheduled_name(const std::string& series, UtcTime now);

}  // namespace jaild::snapshots
