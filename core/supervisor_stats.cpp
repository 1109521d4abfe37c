#include <fmt/format.h>

#include <algorithm>

#include "core/supervisor_impl.h"

namespace jaild {
namespace {

/// A kernel that counts against a limit of its own says so; else the spec's, which it enforces.
void add_limit(const model::Jail& jail, kernel::JailCounters& counters) {
    const auto limit = jail.spec.limits.find("memoryuse");
    if (counters.memory_limit_bytes || limit == jail.spec.limits.end()) return;
    if (limit->second.action == "deny" && limit->second.per == "jail")
        counters.memory_limit_bytes = static_cast<std::uint64_t>(limit->second.amount);
}

JailUsage usage_of(const model::Jail& jail, std::vector<kernel::JailCounters>& all) {
    JailUsage usage{.name = jail.name, .state = jail.status.state, .restarts = jail.status.restarts};
    for (const auto& interface : jail.status.interfaces) usage.interfaces.push_back(interface.name);
    const auto found = std::ranges::lower_bound(all, jail.id, {}, &kernel::JailCounters::id);
    if (found == all.end() || found->id != jail.id) return usage;
    add_limit(jail, *found);
    usage.counters = std::move(*found);
    return usage;
}

/// What the kernel says now.
Result<std::vector<kernel::JailCounters>> look(kernel::Kernel& kernel, kernel::Scope scope, Clock& clock,
                                               Usage& usage) {
    auto counters = kernel.stats().list(scope);
    usage.at = clock.utc();
    usage.monotonic = std::chrono::duration_cast<std::chrono::microseconds>(clock.monotonic().time_since_epoch());
    return counters;
}

}  // namespace

Result<Usage> Supervisor::usage(const Caller& caller, const model::Name& name) {
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    Usage usage;
    auto counters = look(impl_->kernel, jail->id, impl_->clock, usage);
    if (!counters) return std::unexpected(counters.error());
    usage.jails.push_back(usage_of(*jail, *counters));
    return usage;
}

Result<Usage> Supervisor::usage(const Caller& caller, const JailQuery& query) {
    if (auto allowed = authorize(caller, Role::viewer, "jail.stats"); !allowed) return std::unexpected(allowed.error());
    Usage usage;
    auto counters = look(impl_->kernel, std::nullopt, impl_->clock, usage);
    if (!counters) return std::unexpected(counters.error());
    for (auto& row : impl_->cache.all()) {
        const auto jail = impl_->with_status(std::move(row));
        if (matches(jail, query)) usage.jails.push_back(usage_of(jail, *counters));
    }
    return usage;
}

Result<kernel::JailProcesses> Supervisor::processes(const Caller& caller, const model::Name& name) {
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    return impl_->kernel.stats().processes(jail->id);
}

Result<std::vector<std::int64_t>> Supervisor::kill(const Caller& caller, const model::Name& name,
                                                   const model::KillRequest& request) {
    if (auto allowed = authorize(caller, Role::operator_, "jail.kill"); !allowed)
        return std::unexpected(allowed.error());
    auto jail = get(caller, name);
    if (!jail) return std::unexpected(jail.error());
    if (auto alive = check_alive(*jail, "kill"); !alive) return std::unexpected(alive.error());
    auto audited = impl_->store.write([&](store::Writer& writer) {
        return writer.append_audit(
            {.principal = caller.principal, .action = "jail.kill", .object = jail->name.text(), .outcome = "accepted"});
    });
    if (!audited) return std::unexpected(audited.error());
    return impl_->kernel.stats().signal(jail->id, request.signal, request.pids);
}

}  // namespace jaild
