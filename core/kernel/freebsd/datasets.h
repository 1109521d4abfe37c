#pragma once

#include <string>
#include <vector>

#include "core/kernel/freebsd/pure/places.h"

namespace jaild::kernel::freebsd {

/// A ZFS dataset for each jail's root, directly beneath the configured parent; none of it where no parent is
/// configured. By zfs(8), the stable interface to it. Blocking, idempotent, any thread.
class Datasets {
public:
    explicit Datasets(const DriverOptions& options) : Datasets(options.instance, options.zfs_parent) {}

    [[nodiscard]] bool configured() const { return !parent_.empty(); }
    [[nodiscard]] std::string name(JailId id) const;
    /// The jails of this instance that have one.
    [[nodiscard]] Result<std::vector<JailId>> list() const;
    [[nodiscard]] Result<bool> exists(JailId id) const;
    /// Errc::conflict "dataset_in_use" when a dataset of that name is not ours.
    [[nodiscard]] Result<void> ensure(JailId id) const;
    /// A missing one: success. Errc::busy when it has snapshots, clones or children, or is mounted: nothing is deleted.
    [[nodiscard]] Result<void> destroy(JailId id) const;
    /// One that was made beneath another parent, before the configuration changed.
    [[nodiscard]] Result<void> destroy(JailId id, const std::string& name) const;

private:
    Datasets(InstanceId instance, std::string parent) : instance_(std::move(instance)), parent_(std::move(parent)) {}
    InstanceId instance_;
    std::string parent_;
};

/// Can datasets be made beneath this parent? Errc::unsupported "zfs_unavailable" with remedy.
Result<void> check_zfs_parent(const std::string& parent);

}  // namespace jaild::kernel::freebsd
