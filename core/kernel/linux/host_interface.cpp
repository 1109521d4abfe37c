#include "core/kernel/linux/host_interface.h"

#include <algorithm>

#include "core/kernel/linux/configure.h"
#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/routes.h"
#include "core/kernel/names.h"

namespace jaild::kernel::rtnl {
namespace {

/// Besides what the kernel keeps by itself for an interface that is up.
bool is_somebodys(const Route& route) {
    return !is_link_local(route.destination.address) && !is_multicast(route.destination.address);
}

Result<bool> has_route(nl::Socket& socket, int index) {
    const auto all = routes(socket);
    if (!all) return std::unexpected(all.error());
    return std::ranges::any_of(*all, [&](const Route& one) { return one.index == index && is_somebodys(one); });
}

}  // namespace

Result<std::optional<HostInterface>> host_interface(nl::Socket& socket, const InstanceId& instance,
                                                    const std::string& name) {
    const auto found = find(socket, name);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    auto addresses = addresses_of(socket, (*found)->index);
    if (!addresses) return std::unexpected(addresses.error());
    const auto routed = has_route(socket, (*found)->index);
    if (!routed) return std::unexpected(routed.error());
    HostInterface interface {
        .name = name, .bridge = (*found)->kind == "bridge", .loopback = name == "lo", .mtu = (*found)->mtu,
        .addresses = *std::move(addresses), .routed = *routed
    };
    interface.ours =
        parse_bridge_name(instance, name) || parse_pair_name(instance, name) || parse_vlan_name(instance, name);
    if ((*found)->master == 0) return interface;
    const auto master = find(socket, (*found)->master);
    if (!master) return std::unexpected(master.error());
    if (*master) interface.master = (*master)->name;
    return interface;
}

}  // namespace jaild::kernel::rtnl
