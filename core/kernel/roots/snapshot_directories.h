#pragma once

#include <filesystem>
#include <string>

#include "core/base/unique_fd.h"
#include "core/kernel/mounts.h"
#include "core/kernel/roots/jail_directories.h"
#include "core/kernel/snapshots.h"

namespace jaild::kernel {

/// Snapshots as copies, `<state>/jails/<jail>/snapshots/<id>`, the same on every system: blocks are shared with the
/// root where the file system can (copy_tree), and copied where it cannot. They go with the jail's directory.
class SnapshotDirectories final : public Snapshots {
public:
    SnapshotDirectories(std::filesystem::path state, Mounts& mounts)
        : directories_(std::move(state)), mounts_(mounts) {}

    Result<std::vector<SnapshotKey>> list() override;
    Result<SnapshotSize> take(const SnapshotKey& key, const std::function<bool(const SnapshotSize&)>& go_on) override;
    Result<bool> staged(const Restoration& restoration) override;
    Result<void> stage(const Restoration& restoration) override;
    Result<void> unstage(JailId jail) override;
    Result<void> restore(const Restoration& restoration) override;
    Result<void> remove(const SnapshotKey& key) override;

private:
    Result<std::vector<SnapshotKey>> list(JailId jail) const;
    /// Done before, and only not known to be.
    Result<bool> finished(int jail, const Restoration& restoration) const;
    Result<void> stage(int jail, const Restoration& restoration) const;

    JailDirectories directories_;
    Mounts& mounts_;
};

}  // namespace jaild::kernel
