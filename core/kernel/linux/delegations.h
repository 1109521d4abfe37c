#pragma once

#include "core/kernel/delegations.h"

namespace jaild::kernel {

/// None on Linux: a dataset is handed to a user namespace there (zfs-zone(8)), and jaild's jails have none.
class LinuxDelegations final : public Delegations {
public:
    Result<void> check(const std::string& dataset) override;
    Result<void> attach(JailId id, const std::string& dataset) override;
    Result<void> detach(JailId id, const std::string& dataset) override;
};

}  // namespace jaild::kernel
