#include "core/kernel/linux/bridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/linux/configure.h"
#include "core/kernel/linux/host_interface.h"
#include "core/kernel/linux/routes.h"
#include "core/kernel/linux/vlan.h"
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

/// That we put on it, as its mark says.
std::string uplink_of(const InstanceId& instance, NetworkId network, const rtnl::Interface& bridge) {
    return parse_bridge_mark(instance, network, bridge.alias).value_or(std::string());
}

/// What is on it, apart from what the network itself wants there.
void observe_members(const InstanceId& instance, const rtnl::Interface& interface,
                     const std::vector<rtnl::Interface>& all, ObservedBridge& bridge) {
    bridge.uplink = uplink_of(instance, bridge.network, interface);
    const auto* tagged = vlan::find(all, instance, bridge.network);
    auto member_name = bridge.uplink;
    if (tagged != nullptr) {
        const auto parent = std::ranges::find(all, tagged->peer, &rtnl::Interface::index);
        bridge.uplink = parent == all.end() ? std::string() : parent->name;
        bridge.vlan = tagged->vlan;
        member_name = tagged->name;
    }
    bridge.uplink_whole = member_name.empty();
    for (const auto& member : all) {
        if (member.master != interface.index) continue;
        if (member.name == member_name)
            bridge.uplink_whole = member.up && (tagged == nullptr || member.mtu == interface.mtu);
        else
            bridge.members++;
    }
}

/// An interface of the host's is a member of the bridge. It gets no mark: the bridge's says which one it is.
Result<void> join(nl::Socket& socket, const InstanceId& instance, const rtnl::Interface& bridge,
                  const model::Network& network) {
    const auto found = rtnl::find(socket, network.uplink);
    if (!found) return std::unexpected(found.error());
    if (!*found || (*found)->master != bridge.index) {
        auto possible = check_uplink(network, bridge.name, [&](const std::string& name) {
            return rtnl::host_interface(socket, instance, name);
        });
        if (!possible) return possible;
    }
    if (!*found)
        return std::unexpected(Error{.code = Errc::busy, .op = "links", .detail = network.uplink + " has just come"});
    rtnl::Change change;
    if ((*found)->master != bridge.index) change.master = bridge.index;
    if (!(*found)->up) change.up = true;
    return rtnl::change(socket, **found, change);
}

Result<void> leave(nl::Socket& socket, const rtnl::Interface& bridge, const std::string& uplink) {
    if (uplink.empty()) return {};
    const auto found = rtnl::find(socket, uplink);
    if (!found) return std::unexpected(found.error());
    if (!*found || (*found)->master != bridge.index) return {};
    return rtnl::change(socket, **found, {.master = 0});
}

/// The frames of one VLAN: by an interface of ours on the uplink.
Result<void> join_by_vlan(nl::Socket& socket, const InstanceId& instance, const rtnl::Interface& bridge,
                          const model::Network& network) {
    auto possible = check_uplink(network, bridge.name,
                                 [&](const std::string& name) { return rtnl::host_interface(socket, instance, name); });
    if (!possible) return possible;
    const auto tagged = vlan::ensure(socket, instance, network);
    if (!tagged) return std::unexpected(tagged.error());
    rtnl::Change change;
    if (tagged->mtu != network.mtu) change.mtu = network.mtu;
    if (tagged->master != bridge.index) change.master = bridge.index;
    if (!tagged->up) change.up = true;
    return rtnl::change(socket, *tagged, change);
}

Result<void> ensure_uplink(nl::Socket& socket, const InstanceId& instance, const rtnl::Interface& bridge,
                           const model::Network& network) {
    const auto direct = network.vlan == 0 ? network.uplink : std::string();
    if (const auto before = uplink_of(instance, network.id, bridge); before != direct) {
        if (auto done = leave(socket, bridge, before); !done) return done;
        const auto mark = bridge_mark(instance, network.id, direct);
        if (auto done = rtnl::change(socket, bridge, {.alias = mark}); !done) return done;
    }
    if (network.vlan != 0) return join_by_vlan(socket, instance, bridge, network);
    if (auto done = vlan::remove(socket, instance, network.id); !done) return done;
    return direct.empty() ? Result<void>{} : join(socket, instance, bridge, network);
}

}  // namespace

bool is_ours(const InstanceId& instance, NetworkId network, const rtnl::Interface& interface) {
    if (interface.name != bridge_name(instance, network) || interface.kind != "bridge") return false;
    if (parse_bridge_mark(instance, network, interface.alias)) return true;
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
        observe_members(instance, interface, *all, bridge);
        bridges.push_back(std::move(bridge));
    }
    // One that lost its bridge.
    for (const auto network : vlan::networks(*all, instance))
        if (std::ranges::find(bridges, network, &ObservedBridge::network) == bridges.end())
            bridges.push_back({.network = network, .addresses = {}, .uplink_whole = false});
    return bridges;
}

Result<void> ensure(const InstanceId& instance, const model::Network& network) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto bridge = find_or_make(*socket, instance, network);
    if (!bridge) return std::unexpected(bridge.error());

    rtnl::Change mark;  // first and by itself: whatever fails later, it is ours
    if (!parse_bridge_mark(instance, network.id, bridge->alias)) mark.alias = network_mark(instance, network.id);
    if (auto done = rtnl::change(*socket, *bridge, mark); !done) return done;

    const auto addresses = network.bridge_addresses();
    if (auto done = rtnl::prepare_ipv6(bridge->name, addresses); !done) return done;
    rtnl::Change change;
    if (const auto mac = bridge_mac_address(instance, network.id); bridge->mac != mac) change.mac = mac;
    // Always: a size that was once set no longer follows the members' (BROPT_MTU_SET_BY_USER).
    change.mtu = network.mtu;
    change.up = true;
    if (auto done = rtnl::change(*socket, *bridge, change); !done) return done;
    if (auto done = rtnl::set_addresses(*socket, bridge->index, addresses); !done) return done;
    return ensure_uplink(*socket, instance, *bridge, network);
}

Result<void> remove(const InstanceId& instance, NetworkId network) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto all = rtnl::interfaces(*socket);
    if (!all) return std::unexpected(all.error());
    const auto bridge = std::ranges::find_if(
        *all, [&](const rtnl::Interface& interface) { return is_ours(instance, network, interface); });
    if (bridge == all->end()) return vlan::remove(*socket, instance, network);
    // The uplink goes back to the host.
    const auto uplink = uplink_of(instance, network, *bridge);
    const auto tagged = vlan_name(instance, network);
    const auto member = std::ranges::find_if(*all, [&](const rtnl::Interface& one) {
        return one.master == bridge->index && one.name != uplink && one.name != tagged;
    });
    if (member != all->end()) {
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "links",
                                     .detail = fmt::format("{} has members: {}", bridge->name, member->name),
                                     .reason = "network_in_use"});
    }
    if (auto done = vlan::remove(*socket, instance, network); !done) return done;
    return rtnl::remove(*socket, *bridge);
}

}  // namespace jaild::kernel::bridge
