#include "core/kernel/linux/host.h"

#include <sys/utsname.h>

#include <cerrno>

#include "core/kernel/identity.h"
#include "core/kernel/linux/host_checks.h"
#include "core/kernel/linux/limits.h"
#include "core/kernel/linux/network_checks.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "core/kernel/state_check.h"

namespace jaild::kernel {
namespace {

/// Each kind that there is.
bool can_limit(const DriverOptions& options) {
    return LinuxLimits(Layout(options))
        .check({{"maxproc", {.amount = 100, .action = "deny"}},
                {"memoryuse", {.amount = 1 << 30, .action = "deny"}},
                {"pcpu", {.amount = 100, .action = "deny"}}},
               {})
        .has_value();
}

}  // namespace

Result<model::HostInfo> LinuxHost::facts() {
    utsname names{};
    if (uname(&names) != 0) return std::unexpected(Error::from_errno("uname", errno));
    model::HostInfo info;
    info.os = names.sysname;
    info.release = names.release;
    info.machine = names.machine;
    info.kernel_driver = "linux";
    info.network_modes = {"vnet", "inherit", "none"};
    info.root_kinds = {"thin", "copy", "path"};
    info.limits = can_limit(options_);
    return info;
}

Result<std::string> LinuxHost::identity() {
    return host_identity();
}

Result<std::string> LinuxHost::boot() {
    return shim::boot_id();
}

Result<std::vector<model::Check>> LinuxHost::checks() {
    const auto info = facts();
    if (!info) return std::unexpected(info.error());
    std::vector<model::Check> all{
        check_kernel(info->release), check_runtime(),          check_cgroups(),
        check_nftables(options_),    check_mandatory_access(), check_state_directory(options_.state_directory)};
    for (auto& check : check_modules(info->release)) all.push_back(std::move(check));
    for (auto& check : check_forwarding()) all.push_back(std::move(check));
    all.push_back(check_bridge_filter());
    all.push_back(check_forward_policy(options_.instance));
    return all;
}

}  // namespace jaild::kernel
