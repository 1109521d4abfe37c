#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/kernel/freebsd/pure/snapshot_texts.h"

namespace jaild::kernel::freebsd {

/// All datasets of one jail directly beneath a parent: its root's, and those aside, which a restored snapshot left and
/// which keep later ones. Blocking; looks anew with each call.
class JailDatasets {
public:
    JailDatasets(InstanceId instance, std::string parent, JailId id);

    /// The root's.
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] Result<std::vector<zfs::Member>> family() const;
    /// Of all jails beneath the parent.
    [[nodiscard]] Result<std::vector<zfs::Snapshot>> snapshots() const;
    /// One that is not leaving.
    [[nodiscard]] Result<std::optional<zfs::Snapshot>> find(const SnapshotKey& key) const;

    /// Has the root's dataset become what `from` holds, and what it was the snapshot `keep`. Idempotent.
    [[nodiscard]] Result<void> restore(const SnapshotKey& from, SnapshotId keep) const;
    /// It was, by an earlier call.
    [[nodiscard]] Result<bool> restored(SnapshotId keep) const;
    /// Datasets aside that keep nothing any more go.
    [[nodiscard]] Result<void> tidy() const;
    /// All of it with its snapshots; jails that were cloned from one keep what they need. Errc::busy "dataset_busy",
    /// with nothing destroyed, when somebody has snapshots of his own.
    [[nodiscard]] Result<void> destroy() const;

private:
    [[nodiscard]] bool is_member(const std::string& dataset) const;
    /// It depends on no other dataset of the jail's.
    [[nodiscard]] Result<void> promote() const;
    /// The clones that others have of it depend on it no more.
    [[nodiscard]] Result<void> let_go_of_clones() const;
    [[nodiscard]] Result<void> destroy_snapshots() const;

    InstanceId instance_;
    std::string parent_;
    JailId id_;
    std::string name_;
};

}  // namespace jaild::kernel::freebsd
