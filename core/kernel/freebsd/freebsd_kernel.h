#pragma once

#include <memory>

#include "core/kernel/freebsd/breach_watch.h"
#include "core/kernel/freebsd/delegations.h"
#include "core/kernel/freebsd/firewall.h"
#include "core/kernel/freebsd/host.h"
#include "core/kernel/freebsd/jail_attacher.h"
#include "core/kernel/freebsd/jail_watch.h"
#include "core/kernel/freebsd/jails.h"
#include "core/kernel/freebsd/limits.h"
#include "core/kernel/freebsd/links.h"
#include "core/kernel/freebsd/mounts.h"
#include "core/kernel/freebsd/reach.h"
#include "core/kernel/freebsd/roots.h"
#include "core/kernel/freebsd/snapshots.h"
#include "core/kernel/freebsd/stats.h"
#include "core/kernel/freebsd/template_trees.h"
#include "core/kernel/freebsd/transfers.h"
#include "core/kernel/kernel.h"
#include "core/kernel/roots/root_upgrade.h"
#include "core/kernel/shim/shim_processes.h"

namespace jaild::kernel {

/// All ports of FreeBSD.
class FreeBsdKernel final : public Kernel {
public:
    static Result<std::unique_ptr<FreeBsdKernel>> create(const DriverOptions& options);

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
    FreeBsdKernel(const DriverOptions& options, std::unique_ptr<JailAttacher> attacher,
                  std::unique_ptr<ShimProcesses> processes);

    std::unique_ptr<JailAttacher> attacher_;
    std::unique_ptr<ShimProcesses> processes_;
    FreeBsdMounts mounts_;
    FreeBsdTemplateTrees template_trees_;
    FreeBsdRoots roots_;
    FreeBsdSnapshots snapshots_;
    FreeBsdTransfers transfers_;
    RootMerges root_upgrades_;
    FreeBsdJails jails_;
    FreeBsdDelegations delegations_;
    FreeBsdLinks links_;
    freebsd::BreachWatch breach_watch_;
    FreeBsdLimits limits_;
    FreeBsdStats stats_;
    FreeBsdFirewall firewall_;
    FreeBsdReach reach_;
    FreeBsdHost host_;
    freebsd::JailWatch jail_watch_;
};

}  // namespace jaild::kernel
