#include "core/kernel/freebsd/bridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/freebsd/host_interface.h"
#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/pure/units.h"
#include "core/kernel/freebsd/system/addresses.h"
#include "core/kernel/freebsd/vlan.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd::bridge {
namespace {

Error name_in_use(const std::string& name) {
    return Error{.code = Errc::conflict,
                 .op = "links",
                 .detail = "an interface that is not ours has the name " + name,
                 .reason = "name_in_use",
                 .remedy = "see it by ifconfig -a, and rename or destroy it"};
}

/// Made and not yet named: nobody else's would have this unit, no description, no address, and be down.
bool is_half_made(const InstanceId& instance, NetworkId network, const Interface& interface) {
    if (!is_bridge_driver(instance, network, interface.name) || interface.up || !interface.addresses.empty())
        return false;
    const auto text = description(interface.name);
    return text.empty() || parse_bridge_mark(instance, network, text);
}

Result<std::optional<Interface>> find(const InstanceId& instance, NetworkId network) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto name = bridge_name(instance, network);
    if (const auto* there = named(*all, name); there != nullptr) {
        if (is_ours(instance, network, *there)) return *there;
        return std::unexpected(name_in_use(name));
    }
    for (const auto& driver : bridge_drivers(instance, network)) {
        const auto* there = named(*all, driver);
        if (there != nullptr && is_half_made(instance, network, *there)) return *there;
    }
    return std::nullopt;
}

/// With the first of its units that is free.
Result<std::string> make(const InstanceId& instance, NetworkId network) {
    Error taken;
    for (const auto& driver : bridge_drivers(instance, network)) {
        auto made = create(driver);
        if (made) return made;
        if (made.error().sys != EEXIST) return made;
        taken = std::move(made).error();
    }
    return std::unexpected(std::move(taken));
}

/// The description comes before the name: what has a name of ours is marked.
Result<void> name_and_mark(const InstanceId& instance, NetworkId network, const std::string& now) {
    if (!parse_bridge_mark(instance, network, description(now))) {
        if (auto done = describe(now, network_mark(instance, network)); !done) return done;
    }
    const auto name = bridge_name(instance, network);
    if (now == name) return {};
    return rename(now, name);
}

Result<Interface> find_or_make(const InstanceId& instance, NetworkId network) {
    auto found = find(instance, network);
    if (!found) return std::unexpected(found.error());
    const auto now = *found ? Result<std::string>((*found)->name) : make(instance, network);
    if (!now) return std::unexpected(now.error());
    if (auto done = name_and_mark(instance, network, *now); !done) return std::unexpected(done.error());
    found = find(instance, network);
    if (!found) return std::unexpected(found.error());
    if (*found) return std::move(**found);
    return std::unexpected(Error{.code = Errc::busy, .op = "links", .detail = *now + " vanished while it was made"});
}

/// That we put on it, as its mark says.
std::string uplink_of(const InstanceId& instance, NetworkId network, const std::string& bridge) {
    return parse_bridge_mark(instance, network, description(bridge)).value_or(std::string());
}

/// What is on it, apart from what the network itself wants there.
Result<void> observe_members(const InstanceId& instance, const Interface& interface, const std::vector<Interface>& all,
                             ObservedBridge& bridge) {
    const auto on_it = members(interface.name);
    if (!on_it) return std::unexpected(on_it.error());
    const auto tagged = vlan::find(all, instance, bridge.network);
    if (!tagged) return std::unexpected(tagged.error());
    bridge.uplink = uplink_of(instance, bridge.network, interface.name);
    auto member_name = bridge.uplink;
    if (*tagged) {
        bridge.uplink = (*tagged)->parent;
        bridge.vlan = (*tagged)->id;
        member_name = (*tagged)->interface.name;
    }
    bridge.uplink_whole = member_name.empty();
    for (const auto& member : *on_it) {
        const auto* there = named(all, member.name);
        if (member.name == member_name)
            bridge.uplink_whole = there != nullptr && there->up && (!*tagged || there->mtu == interface.mtu);
        else
            bridge.members++;
    }
    return {};
}

/// An interface of the host's is a member of the bridge. It gets no mark: the bridge's says which one it is.
Result<void> join(const InstanceId& instance, const std::string& bridge, const model::Network& network) {
    const auto on_it = members(bridge);
    if (!on_it) return std::unexpected(on_it.error());
    if (std::ranges::find(*on_it, network.uplink, &Member::name) == on_it->end()) {
        auto possible =
            check_uplink(network, bridge, [&](const std::string& name) { return host_interface(instance, name); });
        if (!possible) return possible;
        if (auto done = add_member(bridge, network.uplink); !done) return done;
    }
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* uplink = named(*all, network.uplink);
    return uplink == nullptr || uplink->up ? Result<void>{} : raise(network.uplink);
}

/// The frames of one VLAN: by an interface of ours on the uplink.
Result<void> join_by_vlan(const InstanceId& instance, const std::string& bridge, const model::Network& network) {
    auto possible =
        check_uplink(network, bridge, [&](const std::string& name) { return host_interface(instance, name); });
    if (!possible) return possible;
    const auto tagged = vlan::ensure(instance, network);
    if (!tagged) return std::unexpected(tagged.error());
    if (auto done = set_ipv6(tagged->name, Ipv6::off); !done) return done;
    if (auto done = add_member(bridge, tagged->name); !done) return done;
    return tagged->up ? Result<void>{} : raise(tagged->name);
}

Result<void> ensure_uplink(const InstanceId& instance, const std::string& bridge, const model::Network& network) {
    const auto direct = network.vlan == 0 ? network.uplink : std::string();
    if (const auto before = uplink_of(instance, network.id, bridge); before != direct) {
        if (!before.empty()) {
            if (auto done = remove_member(bridge, before); !done) return done;
        }
        if (auto done = describe(bridge, bridge_mark(instance, network.id, direct)); !done) return done;
    }
    if (network.vlan != 0) return join_by_vlan(instance, bridge, network);
    if (auto done = vlan::remove(instance, network.id); !done) return done;
    return direct.empty() ? Result<void>{} : join(instance, bridge, network);
}

}  // namespace

bool is_ours(const InstanceId& instance, NetworkId network, const Interface& interface) {
    if (interface.name != bridge_name(instance, network)) return is_half_made(instance, network, interface);
    return is_bridge_driver(instance, network, driver(interface)) &&
           parse_bridge_mark(instance, network, description(interface.name));
}

Result<std::vector<ObservedBridge>> list(const InstanceId& instance) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    std::vector<ObservedBridge> bridges;
    for (const auto& interface : *all) {
        const auto network = parse_bridge_name(instance, interface.name);
        if (!network || !is_ours(instance, *network, interface)) continue;
        ObservedBridge bridge{
            .network = *network, .up = interface.up, .addresses = interface.addresses, .mtu = interface.mtu};
        if (auto done = observe_members(instance, interface, *all, bridge); !done) return std::unexpected(done.error());
        bridges.push_back(std::move(bridge));
    }
    // One that lost its bridge.
    for (const auto& interface : *all) {
        const auto network = parse_vlan_name(instance, interface.name);
        if (!network || std::ranges::find(bridges, *network, &ObservedBridge::network) != bridges.end()) continue;
        const auto tagged = vlan::find(*all, instance, *network);
        if (!tagged) return std::unexpected(tagged.error());
        if (*tagged) bridges.push_back({.network = *network, .addresses = {}, .uplink_whole = false});
    }
    return bridges;
}

Result<void> ensure(const InstanceId& instance, const model::Network& network) {
    if (auto loaded = load_module("if_bridge"); !loaded) return loaded;
    const auto bridge = find_or_make(instance, network.id);
    if (!bridge) return std::unexpected(bridge.error());
    if (const auto mac = bridge_mac_address(instance, network.id); bridge->mac != mac) {
        if (auto done = set_mac(bridge->name, mac); !done) return done;
    }
    // The members' follow it.
    if (bridge->mtu != network.mtu) {
        if (auto done = set_mtu(bridge->name, network.mtu); !done) return done;
    }
    if (auto done = set_ipv6(bridge->name, Ipv6::on); !done) return done;
    if (!bridge->up) {
        if (auto done = raise(bridge->name); !done) return done;
    }
    if (auto done = set_addresses(*bridge, network.bridge_addresses()); !done) return done;
    return ensure_uplink(instance, bridge->name, network);
}

Result<void> remove(const InstanceId& instance, NetworkId network) {
    const auto found = find(instance, network);
    if (!found && found.error().reason == "name_in_use") return {};  // not ours: nothing of ours is there
    if (!found) return std::unexpected(found.error());
    if (!*found) return vlan::remove(instance, network);
    const auto& name = (*found)->name;
    const auto on_it = members(name);
    if (!on_it) return std::unexpected(on_it.error());
    // The uplink goes back to the host.
    const auto uplink = uplink_of(instance, network, name);
    const auto other = std::ranges::find_if(
        *on_it, [&](const Member& one) { return one.name != uplink && one.name != vlan_name(instance, network); });
    if (other == on_it->end()) {
        if (auto done = vlan::remove(instance, network); !done) return done;
        return destroy(name);
    }
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "links",
                                 .detail = fmt::format("{} has members: {}", name, other->name),
                                 .reason = "network_in_use"});
}

}  // namespace jaild::kernel::freebsd::bridge
