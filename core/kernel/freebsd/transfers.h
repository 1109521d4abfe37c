#pragma once

#include <string>

#include "core/kernel/freebsd/datasets.h"
#include "core/kernel/roots/transfer_directories.h"

namespace jaild::kernel {

/// A root that is a dataset is read from its snapshots only, each mounted on `<state>/exports/<id>` meanwhile: the
/// dataset itself is nowhere while its jail is down. With a ZFS parent an import makes a new dataset, which no other is
/// the origin of, and which is mounted out of the jail's directory until it is whole.
class FreeBsdTransfers final : public RootTransfers {
public:
    FreeBsdTransfers(const DriverOptions& options, Mounts& mounts)
        : instance_(options.instance),
          jails_(options.state_directory),
          datasets_(options),
          directories_(options.state_directory, mounts) {}

    Result<void> clear() override;
    Result<bool> readable(JailId id) override;
    Result<HeldTree> open(JailId id) override { return directories_.open(id); }
    Result<HeldTree> open(const SnapshotKey& key) override;
    Result<std::unique_ptr<RootImport>> import() override;

private:
    InstanceId instance_;
    JailDirectories jails_;
    freebsd::Datasets datasets_;
    TransferDirectories directories_;
};

}  // namespace jaild::kernel
