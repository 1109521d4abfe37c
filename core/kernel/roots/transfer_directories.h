#pragma once

#include <filesystem>

#include "core/kernel/mounts.h"
#include "core/kernel/root_transfers.h"
#include "core/kernel/roots/jail_directories.h"

namespace jaild::kernel {

/// Roots that are directories of the state directory's file system, the same on every system.
class TransferDirectories final : public RootTransfers {
public:
    TransferDirectories(std::filesystem::path state, Mounts& mounts) : jails_(std::move(state)), mounts_(mounts) {}

    Result<void> clear() override;
    Result<bool> readable(JailId) override { return true; }
    Result<HeldTree> open(JailId id) override;
    Result<HeldTree> open(const SnapshotKey& key) override;
    Result<std::unique_ptr<RootImport>> import() override;

private:
    JailDirectories jails_;
    Mounts& mounts_;
};

}  // namespace jaild::kernel
