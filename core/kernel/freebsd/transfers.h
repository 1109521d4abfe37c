#pragma once

#include <string>

#include "core/kernel/freebsd/datasets.h"
#include "core/kernel/roots/transfer_directories.h"

namespace jaild::kernel {

/// A root that is a dataset is read at `<state>/exports/<number>`, where it, or a snapshot of it, is mounted meanwhile:
/// it is nowhere while its jail is down. A dataset has one place: its jail starts when it is not read any more. With a
/// ZFS parent an import makes a new dataset, which no other is the origin of, and which is mounted out of the jail's
/// directory until it is whole.
class FreeBsdTransfers final : public RootTransfers {
public:
    FreeBsdTransfers(const DriverOptions& options, Mounts& mounts)
        : instance_(options.instance),
          jails_(options.state_directory),
          datasets_(options),
          directories_(options.state_directory, mounts) {}

    Result<void> clear() override;
    Result<bool> readable(JailId id) override;
    Result<HeldTree> open(JailId id) override;
    Result<HeldTree> open(const SnapshotKey& key) override;
    Result<std::unique_ptr<RootImport>> import() override;

private:
    [[nodiscard]] Result<HeldTree> hold(const std::string& source) const;

    InstanceId instance_;
    JailDirectories jails_;
    freebsd::Datasets datasets_;
    TransferDirectories directories_;
};

}  // namespace jaild::kernel
