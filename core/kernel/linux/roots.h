#pragma once

#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/shared_etc.h"
#include "core/kernel/roots.h"
#include "core/kernel/roots/jail_directories.h"

namespace jaild::kernel {

/// The directories `<state>/jails/<id>` (0700, root's): `root` is what the jail sees as /, `local` its /usr/local
/// with template `host`, `prepared` the marker that is written last.
class LinuxRoots : public Roots {
public:
    LinuxRoots(const Layout& layout, Mounts& mounts)
        : layout_(layout), directories_(layout.state), mounts_(mounts), shared_(layout) {}

    Result<std::vector<JailId>> list() override;
    Result<bool> prepared(JailId id) override;
    Result<void> check(const model::RootSpec& root, const std::string& template_name) override;
    /// check() has allowed none.
    [[nodiscard]] Result<void> check_clone(TemplateId) const override { return {}; }
    [[nodiscard]] Result<void> check_storage(JailId id, const model::Storage& storage) override;
    Result<std::vector<ObservedStorage>> storage(const std::vector<JailId>& jails) override;
    /// check() and check_storage() have allowed none.
    Result<void> set_storage(JailId, const model::Storage&) override { return {}; }
    Result<void> prepare(const RootParameters& parameters) override;
    Result<void> refresh(const RootParameters& parameters) override;
    Result<void> write_hosts(const RootParameters& parameters) override;
    Result<std::vector<Mount>> mounts(const RootParameters& parameters) override;
    Result<void> remove(JailId id) override;

private:
    Result<UniqueFd> restore(int jail, const RootParameters& parameters);

    Layout layout_;
    JailDirectories directories_;
    Mounts& mounts_;
    SharedEtc shared_;
};

}  // namespace jaild::kernel
