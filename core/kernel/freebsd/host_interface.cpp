#include "core/kernel/freebsd/host_interface.h"

#include <algorithm>

#include "core/kernel/freebsd/bridge.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/freebsd/system/routes.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd {
namespace {

/// fe80::/10, ff00::/8, 224.0.0.0/4: what the kernel keeps by itself for an interface that is up.
bool is_own_matter(const IpAddress& address) {
    if (address.family == Family::ipv4) return (address.bytes[0] & 0xf0U) == 0xe0;
    return address.bytes[0] == 0xff || (address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0U) == 0x80);
}

Result<bool> has_route(int index) {
    const auto all = routes();
    if (!all) return std::unexpected(all.error());
    return std::ranges::any_of(
        *all, [&](const Route& one) { return one.index == index && !is_own_matter(one.destination.address); });
}

Result<std::string> bridge_of(const std::vector<Interface>& all, const std::string& name) {
    for (const auto& one : all) {
        if (!one.bridge) continue;
        const auto on_it = bridge::members(one.name);
        if (!on_it) return std::unexpected(on_it.error());
        if (std::ranges::find(*on_it, name, &bridge::Member::name) != on_it->end()) return one.name;
    }
    return std::string();
}

}  // namespace

Result<std::optional<HostInterface>> host_interface(const InstanceId& instance, const std::string& name) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* found = named(*all, name);
    if (found == nullptr) return std::nullopt;
    const auto routed = has_route(found->index);
    if (!routed) return std::unexpected(routed.error());
    auto master = bridge_of(*all, name);
    if (!master) return std::unexpected(master.error());
    return HostInterface{
        .name = name,
        .bridge = found->bridge,
        .ours = parse_bridge_name(instance, name) || parse_pair_name(instance, name) || parse_vlan_name(instance, name),
        .loopback = driver(*found).starts_with("lo"),
        .mtu = found->mtu,
        .addresses = found->addresses,
        .routed = *routed,
        .master = *std::move(master)};
}

}  // namespace jaild::kernel::freebsd
