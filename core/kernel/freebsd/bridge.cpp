#include "core/kernel/freebsd/bridge.h"

#include <fmt/format.h>

#include <cerrno>

#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/pure/units.h"
#include "core/kernel/freebsd/system/addresses.h"
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
    return text.empty() || text == network_mark(instance, network);
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
    if (auto done = describe(now, network_mark(instance, network)); !done) return done;
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

}  // namespace

bool is_ours(const InstanceId& instance, NetworkId network, const Interface& interface) {
    if (interface.name != bridge_name(instance, network)) return is_half_made(instance, network, interface);
    return is_bridge_driver(instance, network, driver(interface)) &&
           description(interface.name) == network_mark(instance, network);
}

Result<std::vector<ObservedBridge>> list(const InstanceId& instance) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    std::vector<ObservedBridge> bridges;
    for (const auto& interface : *all) {
        const auto network = parse_bridge_name(instance, interface.name);
        if (!network || !is_ours(instance, *network, interface)) continue;
        const auto on_it = members(interface.name);
        if (!on_it) return std::unexpected(on_it.error());
        bridges.push_back({.network = *network,
                           .up = interface.up,
                           .addresses = interface.addresses,
                           .mtu = interface.mtu,
                           .members = on_it->size()});
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
    return set_addresses(*bridge, network.bridge_addresses());
}

Result<void> remove(const InstanceId& instance, NetworkId network) {
    const auto found = find(instance, network);
    if (!found && found.error().reason == "name_in_use") return {};  // not ours: nothing of ours is there
    if (!found) return std::unexpected(found.error());
    if (!*found) return {};
    const auto& name = (*found)->name;
    const auto on_it = members(name);
    if (!on_it) return std::unexpected(on_it.error());
    if (on_it->empty()) return destroy(name);
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "links",
                                 .detail = fmt::format("{} has members: {}", name, on_it->front().name),
                                 .reason = "network_in_use"});
}

}  // namespace jaild::kernel::freebsd::bridge
