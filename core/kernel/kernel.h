#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "core/base/ids.h"
#include "core/kernel/delegations.h"
#include "core/kernel/firewall.h"
#include "core/kernel/host.h"
#include "core/kernel/jails.h"
#include "core/kernel/limits.h"
#include "core/kernel/links.h"
#include "core/kernel/mounts.h"
#include "core/kernel/processes.h"
#include "core/kernel/reach.h"
#include "core/kernel/root_transfers.h"
#include "core/kernel/root_upgrades.h"
#include "core/kernel/roots.h"
#include "core/kernel/snapshots.h"
#include "core/kernel/stats.h"
#include "core/kernel/template_trees.h"

namespace jaild::kernel {

/// What every driver is made with.
struct DriverOptions {
    InstanceId instance;
    std::filesystem::path state_directory;   ///< absolute, no symbolic link in it (realpath(3))
    std::filesystem::path helper_directory;  ///< where jaild-shim and jaild-pause are
    /// Directories of which, and beneath which, anything may be mounted because a spec asks for it; empty: all.
    std::vector<std::filesystem::path> mount_sources = {};
    std::string zfs_parent = {};  ///< FreeBSD: new private roots and templates are datasets in it; empty: directories
};

/// The ports of one kernel. Owned by main(), used by the reconciler; thread-safe as each port says.
class Kernel {
public:
    virtual ~Kernel() = default;
    virtual Jails& jails() = 0;
    virtual Processes& processes() = 0;
    virtual Roots& roots() = 0;
    virtual TemplateTrees& template_trees() = 0;
    virtual Snapshots& snapshots() = 0;
    virtual RootTransfers& root_transfers() = 0;
    virtual RootUpgrades& root_upgrades() = 0;
    virtual Mounts& mounts() = 0;
    virtual Delegations& delegations() = 0;
    virtual Links& links() = 0;
    virtual Limits& limits() = 0;
    virtual Stats& stats() = 0;
    virtual Firewall& firewall() = 0;
    virtual Reach& reach() = 0;
    virtual Host& host() = 0;

    /// Calls `on_change` from a thread of the driver's own whenever a jail of ours dies or a command ends. The
    /// callback must not block. Called once, before the first list().
    virtual void watch(std::function<void(JailId)> on_change) = 0;
};

/// Each defined by its own library; a build has those that its system knows.
Result<std::unique_ptr<Kernel>> make_linux_kernel(const DriverOptions& options);
Result<std::unique_ptr<Kernel>> make_freebsd_kernel(const DriverOptions& options);

}  // namespace jaild::kernel
