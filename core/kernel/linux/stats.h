#pragma once

#include "core/kernel/linux/cgroup_counters.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/runtime.h"
#include "core/kernel/stats.h"

namespace jaild::kernel {

/// From control groups, /proc and the host's ends of the pairs. What version 1 counts of disks is what was read, and
/// what was written without going through the page cache.
class LinuxStats final : public Stats {
public:
    LinuxStats(Layout layout, Runtime runtime) : layout_(std::move(layout)), runtime_(std::move(runtime)) {}

    Result<std::vector<JailCounters>> list(Scope scope) override;
    Result<JailProcesses> processes(JailId id) override;
    Result<std::vector<std::int64_t>> signal(JailId id, int signal, const std::vector<std::int64_t>& pids) override;

private:
    [[nodiscard]] Result<std::vector<Container>> living(Scope scope) const;
    Result<std::vector<std::int64_t>> signal_all(const Container& jail, int signal);

    Layout layout_;
    Runtime runtime_;
};

}  // namespace jaild::kernel
