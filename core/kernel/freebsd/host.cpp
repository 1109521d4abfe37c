#include "core/kernel/freebsd/host.h"

#include <sys/utsname.h>

#include <cerrno>

#include "core/kernel/freebsd/host_checks.h"
#include "core/kernel/freebsd/network_checks.h"
#include "core/kernel/freebsd/pure/findings.h"
#include "core/kernel/freebsd/pure/patch_floor.h"
#include "core/kernel/freebsd/system/rctl.h"
#include "core/kernel/freebsd/system/sysctl.h"
#include "core/kernel/identity.h"
#include "core/kernel/shim/protocol/process_identity.h"
#include "core/kernel/state_check.h"

namespace jaild::kernel {

Result<model::HostInfo> FreeBsdHost::facts() {
    utsname names{};
    if (::uname(&names) != 0) return std::unexpected(Error::from_errno("uname", errno));
    model::HostInfo info;
    info.os = names.sysname;
    info.release = names.release;
    info.machine = names.machine;
    info.kernel_driver = "freebsd";
    // Mode "none" is a network stack of its own too, with nothing in it.
    const auto vimage = freebsd::sysctl::number("kern.features.vimage");
    info.network_modes = {"alias", "inherit"};
    if (vimage && vimage->value_or(0) != 0) info.network_modes = {"vnet", "alias", "inherit", "none"};
    info.root_kinds = {"thin", "copy", "path"};
    if (!options_.zfs_parent.empty()) info.root_kinds.insert(info.root_kinds.begin() + 1, "clone");
    info.limits = freebsd::rctl::supported().has_value();
    info.parameters = true;
    return info;
}

Result<std::string> FreeBsdHost::identity() {
    return host_identity();
}

Result<std::string> FreeBsdHost::boot() {
    return shim::boot_id();
}

Result<std::vector<model::Check>> FreeBsdHost::checks() {
    const auto info = facts();
    if (!info) return std::unexpected(info.error());
    std::vector<model::Check> all{freebsd::check_patch_floor(info->release), freebsd::check_vimage(),
                                  freebsd::check_racct(), freebsd::check_zfs(options_.zfs_parent),
                                  check_state_directory(options_.state_directory)};
    for (auto& check : freebsd::check_modules()) all.push_back(std::move(check));
    all.push_back(freebsd::check_firewall(firewall_));
    all.push_back(freebsd::check_ipfw());
    for (auto& check : freebsd::check_forwarding()) all.push_back(std::move(check));
    all.push_back(freebsd::check_bridge_filter());
    all.push_back(freebsd::check_devd(options_.instance));
    if (info->limits) all.push_back(freebsd::findings::breaches(breaches_.listening()));
    return all;
}

}  // namespace jaild::kernel
