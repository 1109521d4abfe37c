#pragma once

#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/kernel.h"
#include "core/kernel/limits.h"

namespace jaild::kernel {

/// rctl(8): rules on the subject "jail:NAME", whether there is such a jail or not.
class FreeBsdLimits final : public Limits {
public:
    explicit FreeBsdLimits(const DriverOptions& options) : places_(options) {}

    Result<void> check(const model::Limits& limits) override;
    Result<std::vector<ObservedLimits>> list(const std::vector<LimitSubject>& jails) override;
    Result<void> ensure(const LimitSubject& jail, const model::Limits& limits) override;
    Result<void> remove(const LimitSubject& jail) override;

private:
    /// Somebody else's jail has the name.
    [[nodiscard]] Result<bool> foreign(const LimitSubject& jail) const;

    freebsd::Places places_;
};

}  // namespace jaild::kernel
