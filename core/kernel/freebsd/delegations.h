#pragma once

#include "core/kernel/delegations.h"
#include "core/kernel/freebsd/pure/delegation_texts.h"
#include "core/kernel/freebsd/pure/places.h"

namespace jaild::kernel {

/// By zfs(8). The kernel keeps the names with the jail (spl_zone.c), and forgets them when it is removed; nobody can
/// ask for them. Any thread.
class FreeBsdDelegations final : public Delegations {
public:
    explicit FreeBsdDelegations(const DriverOptions& options) : places_(options), parent_(options.zfs_parent) {}

    Result<void> check(const std::string& dataset) override;
    /// `zfs set jailed=on` unmounts what the host has mounted of it, without force, and mounts it never again
    /// (changelist_prefix() and zfs_is_mountable() of libzfs); what is busy stays, and nothing is changed.
    Result<void> attach(JailId id, const std::string& dataset) override;
    Result<void> detach(JailId id, const std::string& dataset) override;

private:
    /// Judged.
    [[nodiscard]] Result<std::vector<freebsd::zfs::Filesystem>> look(const std::string& dataset) const;

    freebsd::Places places_;
    std::string parent_;
};

}  // namespace jaild::kernel
