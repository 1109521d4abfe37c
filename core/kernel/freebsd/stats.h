#pragma once

#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/kernel.h"
#include "core/kernel/stats.h"

namespace jaild::kernel {

/// From kern.proc(3) and the host's ends of the pairs, one question each for all jails. Open files are counted where
/// rctl(8) is on. A jail's uptime is its shim's: the kernel does not say when it made one.
class FreeBsdStats final : public Stats {
public:
    FreeBsdStats(const DriverOptions& options, Processes& shims) : places_(options), shims_(shims) {}

    Result<std::vector<JailCounters>> list(Scope scope) override;
    Result<JailProcesses> processes(JailId id) override;
    Result<std::vector<std::int64_t>> signal(JailId id, int signal, const std::vector<std::int64_t>& pids) override;

private:
    freebsd::Places places_;
    Processes& shims_;
};

}  // namespace jaild::kernel
