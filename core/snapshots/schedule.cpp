#include "core/snapshots/schedule.h"

#include <algorithm>
#include <chrono>

namespace jaild::snapshots {
namespace {

using model::Snapshot;
using model::SnapshotReason;
using model::SnapshotState;

/// Equal for two moments of the same period.
std::int64_t period_of(const std::string& series, UtcTime at) {
    using namespace std::chrono;
    const sys_time<milliseconds> time{milliseconds(at.milliseconds)};
    const auto day = floor<days>(time);
    if (series == "hourly") return floor<hours>(time).time_since_epoch().count();
    if (series == "daily") return day.time_since_epoch().count();
    // The epoch was a Thursday.
    if (series == "weekly") return floor<weeks>(day + days(3)).time_since_epoch().count();
    const year_month_day date(day);
    return int{date.year()} * 12 + static_cast<std::int64_t>(unsigned{date.month()});
}

/// All but the newest `kept` of them.
void prune(const std::vector<const Snapshot*>& series, std::size_t kept, std::vector<Snapshot>& target) {
    for (std::size_t i = 0; i + kept < series.size(); ++i) target.push_back(*series[i]);
}

std::vector<const Snapshot*> ready_ones(const std::vector<Snapshot>& there, auto&& wanted) {
    std::vector<const Snapshot*> found;
    for (const auto& one : there)
        if (one.state == SnapshotState::ready && wanted(one)) found.push_back(&one);
    return found;
}

}  // namespace

Due due(const std::map<std::string, unsigned>& schedule, const std::vector<Snapshot>& there, UtcTime now) {
    Due result;
    for (const auto& [series, kept] : schedule) {
        const auto of_series = [&](const Snapshot& one) {
            return one.reason == SnapshotReason::schedule && one.series == series;
        };
        const auto newest = std::find_if(there.rbegin(), there.rend(), of_series);
        if (newest == there.rend() || period_of(series, newest->created_at) != period_of(series, now))
            result.take.push_back(series);
        prune(ready_ones(there, of_series), kept, result.prune);
    }
    for (const auto reason : {SnapshotReason::restore, SnapshotReason::upgrade})
        prune(ready_ones(there, [&](const Snapshot& one) { return one.reason == reason; }), kKeptOfOthers,
              result.prune);
    return result;
}

std::string scheduled_name(const std::string& series, UtcTime now) {
    const auto text = model::snapshot_name_of(now);
    return series + "-" + text.substr(0, text.size() - 2);
}

}  // namespace jaild::snapshots
