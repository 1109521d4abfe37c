#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/spawn.h"
#include "core/kernel/snapshots.h"

/// Snapshots of zfs(8), and the datasets of one jail, as words and lines. Pure.
namespace jaild::kernel::freebsd::zfs {

/// A snapshot is ours by this property of its own, which says whose it is, wherever a promotion has moved it.
inline constexpr const char* kSnapshotProperty = "jaild:snapshot";

/// Of one that is no snapshot's head any more but keeps some: "<dataset>.<id of the snapshot that it became>".
std::string aside(const std::string& dataset, SnapshotId became);
/// "<dataset>@jaild-5"
std::string snapshot_of(const std::string& dataset, SnapshotId id);

/// zfs-snapshot(8), marked in the same step.
Argv take(const std::string& dataset, const InstanceId& instance, const SnapshotKey& key);
/// zfs-destroy(8) -d: at once, or when the last clone of it goes.
Argv destroy_later(const std::string& snapshot);
Argv rename(const std::string& dataset, const std::string& to);
Argv promote(const std::string& dataset);

/// zfs-get(8) of what snapshots_in() reads: the parent's children's.
Argv list_snapshots(const std::string& parent);
struct Snapshot {
    std::string name;                  ///< "zroot/jaild/k3f9a-12@jaild-5"
    std::optional<SnapshotKey> key{};  ///< nothing: somebody else's
    bool leaving = false;              ///< it goes with its last clone
    std::vector<std::string> clones{};
    [[nodiscard]] std::string dataset() const { return name.substr(0, name.find('@')); }
    bool operator==(const Snapshot&) const = default;
};
/// All that there are. Errc::corrupt as jails().
Result<std::vector<Snapshot>> snapshots_in(std::string_view output, const InstanceId& instance);

/// zfs-get(8) of what family_in() reads.
Argv list_origins(const std::string& parent);
struct Member {
    std::string name;
    std::string origin{};  ///< the snapshot that it is a clone of; empty: none
    bool operator==(const Member&) const = default;
};
/// The datasets of a jail that carry its mark: its root's, if there is one, and those aside.
Result<std::vector<Member>> family_in(std::string_view output, const std::string& parent, const InstanceId& instance,
                                      JailId id);

}  // namespace jaild::kernel::freebsd::zfs
