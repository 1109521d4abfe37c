#pragma once

#include <mutex>
#include <optional>

#include "core/kernel/limits.h"
#include "core/kernel/linux/cgroup_counters.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/pure/disk_limits.h"

namespace jaild::kernel {

/// By control groups, of version 1 or 2, as pure/limit_knobs.h has them, and file_limits.h. A jail is made with its
/// limits (oci_config.h); here they are changed while it runs, and looked at.
class LinuxLimits final : public Limits {
public:
    explicit LinuxLimits(Layout layout) : layout_(std::move(layout)) {}

    Result<void> check(const model::Limits& limits, const std::filesystem::path& root) override;
    Result<void> check_cpus(const std::string& cpus) override;
    Result<std::vector<ObservedLimits>> list(const std::vector<LimitSubject>& jails) override;
    Result<void> ensure(const LimitSubject& jail, const model::Limits& limits) override;
    Result<void> remove(const LimitSubject& jail) override;

private:
    Result<cgroups::Controllers> controllers();
    Result<void> check_controllers(const model::Limits& limits);
    Result<std::vector<std::int64_t>> members(const cgroups::Controllers& all, JailId id) const;
    std::optional<model::LimitRule> file_rule(const cgroups::Controllers& all, const LimitSubject& jail) const;
    Result<void> set_files(const cgroups::Controllers& all, const LimitSubject& jail, const model::Limits& limits);
    Result<cgroups::DiskId> disk_of(JailId id) const;
    Result<std::optional<model::LimitRule>> rule_in(const cgroups::Knob& knob, cgroups::Version version,
                                                    const std::string& text, const LimitSubject& jail) const;

    Layout layout_;
    std::mutex mutex_;
    std::optional<cgroups::Controllers> controllers_;  ///< once they are known
};

}  // namespace jaild::kernel
