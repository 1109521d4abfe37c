#pragma once

#include <memory>

#include "core/kernel/kernel.h"
#include "core/kernel/linux/delegations.h"
#include "core/kernel/linux/firewall.h"
#include "core/kernel/linux/host.h"
#include "core/kernel/linux/jails.h"
#include "core/kernel/linux/limits.h"
#include "core/kernel/linux/links.h"
#include "core/kernel/linux/mounts.h"
#include "core/kernel/linux/reach.h"
#include "core/kernel/linux/roots.h"
#include "core/kernel/linux/runc_attacher.h"
#include "core/kernel/linux/stats.h"
#include "core/kernel/roots/root_upgrade.h"
#include "core/kernel/roots/snapshot_directories.h"
#include "core/kernel/roots/template_directories.h"
#include "core/kernel/roots/transfer_directories.h"
#include "core/kernel/shim/shim_processes.h"

namespace jaild::kernel {

/// All ports of Linux, wired to each other: the runtime's programs are run by the jail's shim, which so becomes the
/// parent of what they leave behind.
class LinuxKernel final : public Kernel {
public:
    static Result<std::unique_ptr<LinuxKernel>> create(const DriverOptions& options);

    Jails& jails() override { return jails_; }
    Processes& processes() override { return *processes_; }
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

private:
    LinuxKernel(const DriverOptions& options, std::unique_ptr<RuncAttacher> attacher,
                std::unique_ptr<ShimProcesses> processes, cgroups::Hierarchies hierarchies);

    std::unique_ptr<RuncAttacher> attacher_;
    std::unique_ptr<ShimProcesses> processes_;
    Runtime runtime_;
    LinuxMounts mounts_;
    LinuxRoots roots_;
    TemplateDirectories template_trees_;
    SnapshotDirectories snapshots_;
    TransferDirectories transfers_;
    RootMerges root_upgrades_;
    LinuxJails jails_;
    LinuxDelegations delegations_;
    LinuxLinks links_;
    LinuxLimits limits_;
    LinuxStats stats_;
    LinuxFirewall firewall_;
    LinuxReach reach_;
    LinuxHost host_;
};

}  // namespace jaild::kernel
