#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/kernel/kernel.h"
#include "core/kernel/memory/faults.h"
#include "core/kernel/memory/hand.h"
#include "core/kernel/memory/options.h"
#include "core/kernel/memory/ports.h"
#include "core/kernel/memory/reach.h"
#include "core/kernel/memory/state.h"
#include "core/kernel/memory/world.h"
#include "core/kernel/roots/template_directories.h"

namespace jaild::kernel {

/// An executable model of a kernel with FreeBSD's awkward rules: nothing is isolated, nothing runs, everything is
/// remembered. It outlives the reconcilers that use it, as a kernel outlives the daemon. Thread-safe.
///
/// Not modelled: time that a call takes and calls that hang (tests/hooked_kernel.h puts those before it), and the file
/// system beneath a jail's root. Templates lie in the state directory, as everywhere.
class MemoryKernel : public Kernel {
public:
    explicit MemoryKernel(const DriverOptions& driver, const memory::MemoryOptions& options = {});

    Jails& jails() override { return jails_; }
    Processes& processes() override { return processes_; }
    Roots& roots() override { return roots_; }
    TemplateTrees& template_trees() override { return template_trees_; }
    Snapshots& snapshots() override { return snapshots_; }
    RootTransfers& root_transfers() override { return transfers_; }
    RootUpgrades& root_upgrades() override { return root_upgrades_; }
    Mounts& mounts() override { return mounts_; }
    Delegations& delegations() override { return delegations_; }
    Links& links() override { return links_; }
    Limits& limits() override { return limits_; }
    Stats& stats() override { return stats_; }
    Firewall& firewall() override { return firewall_; }
    Reach& reach() override { return reach_; }
    Host& host() override { return host_; }
    void watch(std::function<void(JailId)> on_change) override;

    memory::Faults& faults() { return world_.faults; }
    memory::Hand& hand() { return hand_; }
    /// From now on nature behaves so; `{}` makes it calm.
    void set_nature(const memory::Nature& nature);

    /// All that there is, copied.
    [[nodiscard]] memory::State state() const;
    /// Canonical text of all that is ours; see state.h.
    [[nodiscard]] std::string describe() const;
    /// Rules that our own code must never break and did, in the order of breaking.
    [[nodiscard]] std::vector<std::string> violations() const;

private:
    mutable memory::World world_;
    memory::MemoryJails jails_;
    memory::MemoryProcesses processes_;
    memory::MemoryRoots roots_;
    TemplateDirectories template_trees_;
    memory::MemorySnapshots snapshots_;
    memory::MemoryTransfers transfers_;
    memory::MemoryRootUpgrades root_upgrades_;
    memory::MemoryMounts mounts_;
    memory::MemoryDelegations delegations_;
    memory::MemoryLinks links_;
    memory::MemoryLimits limits_;
    memory::MemoryStats stats_;
    memory::MemoryFirewall firewall_;
    memory::MemoryReach reach_;
    memory::MemoryHost host_;
    memory::Hand hand_;
};

/// For `jaild --kernel memory`: calm, no faults.
Result<std::unique_ptr<Kernel>> make_memory_kernel(const DriverOptions& options);

}  // namespace jaild::kernel
