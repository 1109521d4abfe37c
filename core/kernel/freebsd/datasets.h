#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/kernel/freebsd/pure/places.h"
#include "core/model/jail_spec.h"

namespace jaild::kernel::freebsd {

/// A ZFS dataset for each jail's root and for each template's tree, directly beneath the configured parent; none of it
/// where no parent is configured. By zfs(8), the stable interface to it. Blocking, idempotent, any thread.
class Datasets {
public:
    explicit Datasets(const DriverOptions& options) : Datasets(options.instance, options.zfs_parent) {}

    [[nodiscard]] bool configured() const { return !parent_.empty(); }
    [[nodiscard]] const std::string& parent() const { return parent_; }
    [[nodiscard]] std::string name(JailId id) const;
    [[nodiscard]] std::string name(TemplateId id) const;
    /// The jails, and the templates, of this instance that have one.
    [[nodiscard]] Result<std::vector<JailId>> jails() const;
    [[nodiscard]] Result<std::vector<TemplateId>> templates() const;
    /// Errc::conflict "dataset_in_use" when a dataset of that name is not ours.
    [[nodiscard]] Result<void> ensure(JailId id) const;
    [[nodiscard]] Result<void> ensure(TemplateId id) const;
    /// The jail's, as the template's dataset of that name was when it was finished. One that is there stays as it is.
    [[nodiscard]] Result<void> clone(JailId id, const std::string& of_template) const;
    /// By name, of those that there are: each of `names` that lies directly beneath a common parent costs no call more.
    [[nodiscard]] static Result<std::map<std::string, model::Storage>> storage(const std::vector<std::string>& names);
    /// Errc::conflict "quota_below_use", Errc::exhausted "reservation_too_large".
    [[nodiscard]] static Result<void> set_storage(const std::string& name, const model::Storage& storage);
    /// What is in it stays as it is now, and clones can be made of it.
    [[nodiscard]] static Result<void> finish(const std::string& of_template);
    /// With its snapshots, as JailDatasets::destroy(). A missing one: success. Errc::busy when it has somebody else's
    /// snapshots, has children, or is mounted.
    [[nodiscard]] Result<void> destroy(JailId id) const;
    /// With the snapshot that finish() made.
    [[nodiscard]] Result<void> destroy(TemplateId id) const;
    /// One that was made beneath another parent, before the configuration changed.
    template <class T>
    [[nodiscard]] Result<void> destroy(T id, const std::string& name) const {
        return Datasets(instance_, name.substr(0, name.rfind('/'))).destroy(id);
    }

private:
    Datasets(InstanceId instance, std::string parent) : instance_(std::move(instance)), parent_(std::move(parent)) {}
    InstanceId instance_;
    std::string parent_;
};

/// Can datasets be made beneath this parent? Errc::unsupported "zfs_unavailable" with remedy.
Result<void> check_zfs_parent(const std::string& parent);

}  // namespace jaild::kernel::freebsd
