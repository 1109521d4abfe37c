#include "core/kernel/host.h"

#include "core/kernel/memory/ports.h"

namespace jaild::kernel::memory {

Result<model::HostInfo> MemoryHost::facts() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("host.facts"); !met) return std::unexpected(met.error());
    model::HostInfo facts;
    facts.os = "memory";
    facts.release = "0";
    facts.machine = "memory";
    facts.kernel_driver = "memory";
    facts.network_modes = {"vnet", "alias", "inherit", "none"};
    facts.root_kinds = {"thin", "copy", "path"};
    facts.limits = world_.state.racct;
    facts.parameters = true;
    return facts;
}

Result<std::string> MemoryHost::identity() {
    return "memory";
}

Result<std::string> MemoryHost::boot() {
    return boot_;
}

Result<std::vector<model::Check>> MemoryHost::checks() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("host.checks"); !met) return std::unexpected(met.error());
    return std::vector<model::Check>{{.name = "kernel",
                                      .state = model::CheckState::warning,
                                      .detail = "a model in memory: nothing is isolated and nothing runs",
                                      .remedy = "start jaild with --kernel auto"}};
}

}  // namespace jaild::kernel::memory
