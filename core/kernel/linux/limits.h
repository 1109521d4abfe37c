#pragma once

#include "core/kernel/limits.h"

namespace jaild::kernel {

/// None on Linux so far: a jail has the bound on its processes that every jail has (oci_config.h), and no limits of its
/// own. Those of a spec are refused when it is written, and a jail that has some is kept stopped.
class LinuxLimits final : public Limits {
public:
    Result<void> supported() override;
    Result<std::vector<ObservedLimits>> list(const std::vector<LimitSubject>& jails) override;
    Result<void> ensure(const LimitSubject& jail, const model::Limits& limits) override;
    Result<void> remove(const LimitSubject& jail) override;
};

}  // namespace jaild::kernel
