#include "core/snapshots/schedule.h"

#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using jaild::snapshots::due;
using model::Snapshot;
using model::SnapshotReason;
using Series = std::vector<std::string>;

namespace {

UtcTime moment(const char* text) {
    return value_of(UtcTime::parse(text));
}

Snapshot scheduled(std::int64_t id, const char* series, const char* time) {
    return {.id = SnapshotId{id},
            .name = std::string(series) + std::to_string(id),
            .state = model::SnapshotState::ready,
            .reason = SnapshotReason::schedule,
            .series = series,
            .size = {},
            .created_at = moment(time)};
}

Series snapshot_names(const std::vector<Snapshot>& snapshots) {
    Series all;
    for (const auto& one : snapshots) all.push_back(one.name);
    return all;
}

}  // namespace

TEST_CASE("schedule: nothing is due without one") {
    CHECK(due({}, {}, moment("2026-11-22T19:15:00.000Z")) == snapshots::Due{});
}

TEST_CASE("schedule: each series is due once in its period") {
    const auto newest = [](const char* series, const char* time, const char* now) {
        return !due({{series, 5}}, {scheduled(1, series, time)}, moment(now)).take.empty();
    };
    CHECK_FALSE(newest("hourly", "2026-11-22T19:00:00.000Z", "2026-11-22T19:59:59.999Z"));
    CHECK(newest("hourly", "2026-11-22T19:59:59.999Z", "2026-11-22T20:00:00.000Z"));
    CHECK_FALSE(newest("daily", "2026-11-22T00:00:00.000Z", "2026-11-22T23:59:59.000Z"));
    CHECK(newest("daily", "2026-11-22T23:59:59.000Z", "2026-11-23T00:00:00.000Z"));
    // 2026-11-23 is a Monday.
    CHECK_FALSE(newest("weekly", "2026-11-16T00:00:00.000Z", "2026-11-22T23:59:59.000Z"));
    CHECK(newest("weekly", "2026-11-22T23:59:59.000Z", "2026-11-23T00:00:00.000Z"));
    CHECK_FALSE(newest("monthly", "2026-11-01T00:00:00.000Z", "2026-11-30T23:59:59.000Z"));
    CHECK(newest("monthly", "2026-11-30T23:59:59.000Z", "2026-12-01T00:00:00.000Z"));
    CHECK(newest("monthly", "2025-12-15T00:00:00.000Z", "2026-12-15T00:00:00.000Z"));
}

TEST_CASE("schedule: after a long time one is due, not many") {
    const auto now = due({{"hourly", 24}, {"daily", 7}}, {scheduled(1, "hourly", "2026-01-01T00:00:00.000Z")},
                         moment("2026-11-22T19:15:00.000Z"));
    CHECK(now.take == Series{"daily", "hourly"});
}

TEST_CASE("schedule: a clock that went back takes one of that time, and waits for no other") {
    const std::vector there{scheduled(1, "hourly", "2027-01-01T00:00:00.000Z")};
    CHECK(due({{"hourly", 24}}, there, moment("2026-11-22T19:15:00.000Z")).take == Series{"hourly"});
}

TEST_CASE("schedule: one that is being taken counts") {
    auto there = std::vector{scheduled(1, "hourly", "2026-11-22T19:00:00.000Z")};
    there[0].state = model::SnapshotState::creating;
    CHECK(due({{"hourly", 1}}, there, moment("2026-11-22T19:15:00.000Z")) == snapshots::Due{});
}

TEST_CASE("schedule: beyond what is kept the oldest of its series go") {
    const std::vector there{
        scheduled(1, "hourly", "2026-11-22T16:00:00.000Z"), scheduled(2, "daily", "2026-11-22T16:00:00.000Z"),
        scheduled(3, "hourly", "2026-11-22T17:00:00.000Z"), scheduled(4, "hourly", "2026-11-22T18:00:00.000Z")};
    const auto prune = [&](unsigned kept) {
        return snapshot_names(due({{"hourly", kept}}, there, moment("2026-11-22T18:15:00.000Z")).prune);
    };
    CHECK(prune(3).empty());
    CHECK(prune(2) == Series{"hourly1"});
    CHECK(prune(1) == Series{"hourly1", "hourly3"});
}

TEST_CASE("schedule: what a series took stays when it is not named any more, and so does a user's own") {
    auto there = std::vector<Snapshot>();
    for (std::int64_t id = 1; id <= 9; ++id) there.push_back(scheduled(id, "hourly", "2026-11-22T16:00:00.000Z"));
    for (auto& one : there)
        if (one.id.value > 4) one.reason = SnapshotReason::request;
    CHECK(due({}, there, moment("2026-11-22T18:15:00.000Z")).prune.empty());
}

TEST_CASE("schedule: the last three before restorations, and before upgrades, are kept") {
    std::vector<Snapshot> there;
    for (std::int64_t id = 1; id <= 10; ++id) {
        there.push_back(scheduled(id, "", "2026-11-22T16:00:00.000Z"));
        there.back().reason = id % 2 == 0 ? SnapshotReason::upgrade : SnapshotReason::restore;
    }
    CHECK(snapshot_names(due({}, there, moment("2026-11-22T18:15:00.000Z")).prune) == Series{"1", "3", "2", "4"});
}

TEST_CASE("schedule: names tell series and time") {
    CHECK(snapshots::scheduled_name("hourly", moment("2026-11-22T19:15:42.123Z")) == "hourly-20261122-1915");
    CHECK(model::snapshot_name_of(moment("2026-11-22T19:15:42.123Z")) == "20261122-191542");
}
