#pragma once

#include "core/kernel/freebsd/breach_watch.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/freebsd/system/prisons.h"
#include "core/kernel/kernel.h"
#include "core/kernel/limits.h"

namespace jaild::kernel {

/// rctl(8): rules on the subject "jail:NAME", whether there is such a jail or not, each with the companion that makes
/// the kernel tell when it is met; and the set of processors of one that lives.
class FreeBsdLimits final : public Limits {
public:
    /// `breaches` is borrowed.
    FreeBsdLimits(const DriverOptions& options, freebsd::BreachWatch& breaches)
        : places_(options), breaches_(breaches) {}

    Result<void> check(const model::Limits& limits, const std::filesystem::path& root) override;
    Result<void> check_cpus(const std::string& cpus) override;
    Result<std::vector<ObservedLimits>> list(const std::vector<LimitSubject>& jails) override;
    Result<void> ensure(const LimitSubject& jail, const model::Limits& limits) override;
    Result<void> remove(const LimitSubject& jail) override;

private:
    struct Holder {
        int jid = 0;           ///< of our living jail; 0: there is none
        bool foreign = false;  ///< somebody else's jail has the name
    };
    [[nodiscard]] Result<Holder> holder_of(const LimitSubject& jail) const;
    Result<void> ensure_rules(const LimitSubject& jail, const model::Limits& limits);
    Result<void> remove_rules(const LimitSubject& jail);
    Result<void> ensure_cpus(const LimitSubject& jail);

    freebsd::Places places_;
    freebsd::BreachWatch& breaches_;
};

}  // namespace jaild::kernel
