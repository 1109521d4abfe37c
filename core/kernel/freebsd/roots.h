#pragma once

#include "core/kernel/freebsd/datasets.h"
#include "core/kernel/freebsd/mounts.h"
#include "core/kernel/freebsd/template_trees.h"
#include "core/kernel/roots.h"
#include "core/kernel/roots/jail_directories.h"

namespace jaild::kernel {

/// A thin root is the private, writable directory `<state>/jails/<id>/root` with the host's userland mounted into it; a
/// `path` root is mounted on it. Where a ZFS parent is configured when a jail is made, a dataset of its own is mounted
/// there first; the file `<state>/jails/<id>/dataset` names it. A clone's dataset is made of its template's.
class FreeBsdRoots : public Roots {
public:
    FreeBsdRoots(const DriverOptions& options, FreeBsdTemplateTrees& templates)
        : directories_(options.state_directory), mounts_(options), datasets_(options), templates_(&templates) {}

    Result<std::vector<JailId>> list() override;
    Result<bool> prepared(JailId id) override;
    Result<void> check(const model::RootSpec& root, const std::string& template_name) override;
    Result<void> check_clone(TemplateId of) const override;
    [[nodiscard]] Result<void> check_storage(JailId id, const model::Storage& storage) override;
    /// Those of a pool that is away are not known.
    Result<std::vector<ObservedStorage>> storage(const std::vector<JailId>& jails) override;
    Result<void> set_storage(JailId id, const model::Storage& storage) override;
    Result<void> prepare(const RootParameters& parameters) override;
    Result<void> refresh(const RootParameters& parameters) override;
    Result<void> write_hosts(const RootParameters& parameters) override;
    /// The root's own, then /dev with ruleset 5 for a jail with addresses and 4 for one without, then /dev/fd.
    Result<std::vector<Mount>> mounts(const RootParameters& parameters) override;
    Result<void> remove(JailId id) override;

    /// Its root is in the jail's directory afterwards, though the jail does not run.
    Result<void> bring(JailId id) { return mount_dataset(id); }

private:
    /// The dataset that the jail's root is on; none for most.
    [[nodiscard]] Result<std::optional<std::string>> dataset(JailId id) const;
    Result<void> make_dataset(int jail, const RootParameters& parameters);
    /// The dataset of a template that a clone can be made of. Errors as check_clone().
    [[nodiscard]] Result<std::string> clone_source(TemplateId of) const;
    /// The template's tree is in its place, where this root shares it.
    Result<void> mount_template(const RootParameters& parameters);
    Result<void> mount_dataset(JailId id);
    Result<void> prepare_from_template(int jail, const RootParameters& parameters);
    Result<UniqueFd> restore(int jail, const RootParameters& parameters);

    JailDirectories directories_;
    FreeBsdMounts mounts_;
    freebsd::Datasets datasets_;
    FreeBsdTemplateTrees* templates_;
};

}  // namespace jaild::kernel
