#include "core/kernel/linux/bridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/linux/configure.h"
#include "core/kernel/linux/routes.h"
#include "core/kernel/names.h"

namespace jaild::kernel::bridge {
namespace {

Result<rtnl::Interface> find_or_make(nl::Socket& socket, const InstanceId& instance, const model::Network& network) {
    const auto name = bridge_name(instance, network.id);
    auto found = rtnl::find(socket, name);
    if (!found) return std::unexpected(found.error());
    if (!*found) {
        auto made = rtnl::add_bridge(
            socket, {.name = name, .mac = bridge_mac_address(instance, network.id), .mtu = network.mtu});
        // Two jails' workers may meet here.
        if (!made && made.error().sys != EEXIST) return std::unexpected(made.error());
        found = rtnl::find(socket, name);
        if (!found) return std::unexpected(found.error());
    }
    if (!*found) {
        return std::unexpected(
            Error{.code = Errc::busy, .op = "links", .detail = name + " vanished while it was made"});
    }
    if (!is_ours(instance, network.id, **found)) return std::unexpected(rtnl::name_in_use(**found));
    return std::move(**found);
}

}  // namespace

bool is_ours(const InstanceId& instance, NetworkId network, const rtnl::Interface& interface) {
    if (interface.name != bridge_name(instance, network) || interface.kind != "bridge") return false;
    if (interface.alias == network_mark(instance, network)) return true;
    return interface.alias.empty() && !interface.up && interface.mac == bridge_mac_address(instance, network);
}

Result<std::vector<ObservedBridge>> list(const InstanceId& instance) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto all = rtnl::interfaces(*socket);
    if (!all) return std::unexpected(all.error());
    const auto addresses = rtnl::addresses(*socket);
    if (!addresses) return std::unexpected(addresses.error());

    std::vector<ObservedBridge> bridges;
    for (const auto& interface : *all) {
        const auto network = parse_bridge_name(instance, interface.name);
        if (!network || !is_ours(instance, *network, interface)) continue;
        ObservedBridge bridge{.network = *network, .up = interface.up, .addresses = {}, .mtu = interface.mtu};
        for (const auto& address : *addresses) {
            const bool own = address.index == interface.index && !rtnl::is_link_local(address.prefix.address);
            if (own) bridge.addresses.push_back(address.prefix);
        }
        std::ranges::sort(bridge.addresses);
        bridge.members = static_cast<std::size_t>(std::ranges::count(*all, interface.index, &rtnl::Interface::master));
        bridges.push_back(std::move(bridge));
    }
    return bridges;
}

Result<void> ensure(const InstanceId& instance, const model::Network& network) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto bridge = find_or_make(*socket, instance, network);
    if (!bridge) return std::unexpected(bridge.error());

    rtnl::Change mark;  // first and by itself: whatever fails later, it is ours
    if (const auto alias = network_mark(instance, network.id); bridge->alias != alias) mark.alias = alias;
    if (auto done = rtnl::change(*socket, *bridge, mark); !done) return done;

    const auto addresses = network.bridge_addresses();
    if (auto done = rtnl::prepare_ipv6(bridge->name, addresses); !done) return done;
    rtnl::Change change;
    if (const auto mac = bridge_mac_address(instance, network.id); bridge->mac != mac) change.mac = mac;
    // Always: a size that was once set no longer follows the members' (BROPT_MTU_SET_BY_USER).
    change.mtu = network.mtu;
    change.up = true;
    if (auto done = rtnl::change(*socket, *bridge, change); !done) return done;
    return rtnl::set_addresses(*socket, bridge->index, addresses);
}

Result<void> remove(const InstanceId& instance, NetworkId network) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto all = rtnl::interfaces(*socket);
    if (!all) return std::unexpected(all.error());
    const auto bridge = std::ranges::find_if(
        *all, [&](const rtnl::Interface& interface) { return is_ours(instance, network, interface); });
    if (bridge == all->end()) return {};
    const auto member = std::ranges::find(*all, bridge->index, &rtnl::Interface::master);
    if (member != all->end()) {
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "links",
                                     .detail = fmt::format("{} has members: {}", bridge->name, member->name),
                                     .reason = "network_in_use"});
    }
    return rtnl::remove(*socket, *bridge);
}

}  // namespace jaild::kernel::bridge
