#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/model/name.h"

/// Snapshots: what a jail's root was at a moment.
namespace jaild::model {

enum class SnapshotState {
    creating,
    ready,
    removing,  ///< its name stays reserved until nothing is left
};
std::string_view to_string(SnapshotState state);

/// Who wanted it: only what jaild made by itself is removed by itself.
enum class SnapshotReason {
    request,   ///< a user
    restore,   ///< what the root was before another was restored
    upgrade,   ///< what it was before an upgrade
    transfer,  ///< jaild, of a jail that runs while it is exported: goes when that ends
    schedule,  ///< the jail's spec
};
std::string_view to_string(SnapshotReason reason);
std::optional<SnapshotReason> parse_snapshot_reason(std::string_view text);

/// How much there is in one. Its blocks may be shared with the root's: bytes are of files, not of disk.
struct SnapshotSize {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    bool operator==(const SnapshotSize&) const = default;
};

struct Snapshot {
    SnapshotId id;
    JailId jail;
    std::string jail_name;
    std::string name;  ///< within its jail
    SnapshotState state = SnapshotState::creating;
    SnapshotReason reason = SnapshotReason::request;
    std::string series{};  ///< of a schedule: "hourly"
    std::string description{};
    std::string template_name{};       ///< what the root was made from then
    TemplateId base{};                 ///< 0: the host's
    std::optional<SnapshotSize> size;  ///< nothing: nobody counted
    UtcTime created_at{};

    /// "web@before".
    [[nodiscard]] std::string reference() const { return jail_name + "@" + name; }
    bool operator==(const Snapshot&) const = default;
};
nlohmann::json to_json(const Snapshot& snapshot);

struct SnapshotLimits {
    static constexpr std::size_t name_bytes = 63;
    static constexpr std::size_t description_bytes = 1024;
    static constexpr std::size_t per_jail = 1000;  ///< a user's own; those of a schedule are bounded by it
};

/// `^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$`. Errc::invalid "invalid_name".
Result<void> check_snapshot_name(std::string_view name, const std::string& at);
/// For one that nobody named: "20261122-191500", in UTC.
std::string snapshot_name_of(UtcTime at);

/// What a new snapshot is asked with.
struct SnapshotRequest {
    std::string name{};  ///< empty: snapshot_name_of(now)
    std::string description{};
};
Result<SnapshotRequest> parse_snapshot_request(const nlohmann::json& object);

/// How far the root of a jail is on its way to be another.
enum class RootStage {
    unpack,    ///< a new jail: an archive becomes it, and nobody starts it before
    restore,   ///< it becomes a snapshot
    snapshot,  ///< an upgrade: what it is becomes one
    merge,     ///< and what changed in its template is merged into it
    trial,     ///< and the jail has to run with it; else it becomes that snapshot again
};
std::string_view to_string(RootStage stage);
std::optional<RootStage> parse_root_stage(std::string_view text);

/// What the root of a jail is to become before it is started the next time.
struct RootChange {
    RootStage stage = RootStage::restore;
    SnapshotId from;                   ///< its root becomes this snapshot
    std::string name;                  ///< of it, for people: "web@before"
    JailId from_jail;                  ///< whose it is
    std::optional<SnapshotId> keep{};  ///< what it was becomes this one; nothing: the first root of a new jail
    TemplateId base{};                 ///< of an upgrade: what it was made from
    std::string failed{};              ///< why an upgrade is taken back; empty: it is not
    bool operator==(const RootChange&) const = default;
};

}  // namespace jaild::model
