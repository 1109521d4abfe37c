#pragma once

#include "core/kernel/freebsd/jail_datasets.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/roots/snapshot_directories.h"

namespace jaild::kernel {

/// A snapshot of a root that is a dataset is one of ZFS, `<dataset>@jaild-<id>`: at once, and without room of its own
/// until the root changes. Another root is copied.
///
/// Restoring makes a clone of it the jail's dataset and promotes that: what was there stays aside with the snapshots
/// that are later, and goes with the last of them. A new jail from a snapshot is a clone, in the same pool; the jail
/// that it is from, and the snapshot, can be removed all the same.
class FreeBsdSnapshots final : public Snapshots {
public:
    FreeBsdSnapshots(const DriverOptions& options, Mounts& mounts)
        : instance_(options.instance),
          parent_(options.zfs_parent),
          jails_(options.state_directory),
          copies_(options.state_directory, mounts),
          mounts_(mounts) {}

    /// Without those of a pool that is away.
    Result<std::vector<SnapshotKey>> list() override;
    Result<SnapshotSize> take(const SnapshotKey& key, const std::function<bool(const SnapshotSize&)>& go_on) override;
    Result<bool> staged(const Restoration& restoration) override;
    Result<void> stage(const Restoration& restoration) override;
    Result<void> unstage(JailId jail) override { return copies_.unstage(jail); }
    Result<void> restore(const Restoration& restoration) override;
    Result<void> remove(const SnapshotKey& key) override;

private:
    /// Nothing: its root is a directory, or it has none.
    [[nodiscard]] Result<std::optional<freebsd::JailDatasets>> datasets(JailId id) const;
    /// Of the jail that the snapshot is of.
    [[nodiscard]] Result<std::optional<freebsd::JailDatasets>> source(const Restoration& restoration) const;
    Result<void> clone(const Restoration& restoration, const freebsd::JailDatasets& from);

    InstanceId instance_;
    std::string parent_;
    JailDirectories jails_;
    SnapshotDirectories copies_;
    Mounts& mounts_;
};

}  // namespace jaild::kernel
