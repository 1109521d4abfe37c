#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/kernel/memory/ports.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

/// The part of the links that belongs to networks.
namespace jaild::kernel::memory {
namespace {

constexpr std::string_view kHostBridge = "bridge0";

/// What the host has itself: em0 is its way out, and em1 has nothing yet.
struct OwnAddress {
    std::string_view interface;
    std::string_view address;
};
constexpr std::array kAddresses{OwnAddress{"em0", "192.0.2.1/24"}, OwnAddress{kHostBridge, "198.51.100.1/24"},
                                OwnAddress{kHostBridge, "2001:db8:1::1/64"}};

/// What a network's bridge is called before it is renamed: of the name alone nobody can tell which network's it is.
std::string unit_of(NetworkId network) {
    return fmt::format("bridge{}", 1'000 + network.value);
}

}  // namespace

/// Marked, or still under its unit.
Bridge* MemoryLinks::bridge_of(NetworkId network) {
    const auto mark = network_mark(world_.driver.instance, network);
    auto found = std::ranges::find_if(world_.state.bridges, [&](const Bridge& one) {
        const bool half_made = one.mark.empty() && (one.name == unit_of(network) ||
                                                    one.name == bridge_name(world_.driver.instance, network));
        return one.mark == mark || half_made;
    });
    return found == world_.state.bridges.end() ? nullptr : &*found;
}

std::size_t MemoryLinks::members(NetworkId network) const {
    const auto count =
        std::ranges::count_if(world_.state.pairs, [&](const Pair& pair) { return pair.bridge == network; });
    return static_cast<std::size_t>(count);
}

Result<std::vector<ObservedBridge>> MemoryLinks::bridges() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.bridges"); !met) return std::unexpected(met.error());
    std::vector<ObservedBridge> listed;
    for (const auto& bridge : world_.state.bridges) {
        const auto network = parse_bridge_name(world_.driver.instance, bridge.name);
        if (!network) continue;
        listed.push_back({.network = *network,
                          .up = bridge.up,
                          .addresses = bridge.addresses,
                          .mtu = bridge.mtu,
                          .uplink = bridge.uplink,
                          .vlan = bridge.vlan,
                          .uplink_whole = bridge.uplink.empty() || bridge.uplinked,
                          .members = members(*network)});
    }
    return listed;
}

Result<void> MemoryLinks::make_bridge(const model::Network& network) {
    return world_.faults.step("links.ensure_bridge.create", [&]() -> Result<void> {
        const auto unit = unit_of(network.id);
        if (world_.host_has_interface(unit)) return std::unexpected(Error::from_errno("SIOCIFCREATE2", EEXIST, unit));
        world_.state.bridges.push_back({.name = unit});
        return {};
    });
}

Result<void> MemoryLinks::ensure_bridge(const model::Network& network) {
    std::lock_guard lock(world_.mutex);
    auto& faults = world_.faults;
    if (auto met = faults.at("links.ensure_bridge"); !met) return met;
    if (!bridge_of(network.id)) {
        if (auto made = make_bridge(network); !made) return made;
    }
    auto& bridge = *bridge_of(network.id);
    const auto name = bridge_name(world_.driver.instance, network.id);
    if (bridge.name != name) {
        auto renamed = faults.step("links.ensure_bridge.rename", [&]() -> Result<void> {
            if (name.size() > kMaxInterfaceName)
                return std::unexpected(Error::from_errno("SIOCSIFNAME", ENAMETOOLONG, name));
            if (world_.host_has_interface(name)) return std::unexpected(Error::from_errno("SIOCSIFNAME", EEXIST, name));
            bridge.name = name;
            return {};
        });
        if (!renamed) return renamed;
    }
    if (bridge.mark.empty()) {
        auto marked = faults.step("links.ensure_bridge.mark", [&]() -> Result<void> {
            bridge.mark = network_mark(world_.driver.instance, network.id);
            return {};
        });
        if (!marked) return marked;
    }
    const auto addresses = network.bridge_addresses();
    if (bridge.addresses != addresses || bridge.mtu != network.mtu) {
        auto configured = faults.step("links.ensure_bridge.address", [&]() -> Result<void> {
            bridge.addresses = addresses;
            bridge.mtu = network.mtu;
            for (auto& pair : world_.state.pairs)  // if_bridge.c, SIOCSIFMTU: its members take it too
                if (pair.bridge == network.id) pair.mtu = network.mtu;
            return {};
        });
        if (!configured) return configured;
    }
    if (!bridge.up) {
        auto raised = faults.step("links.ensure_bridge.up", [&]() -> Result<void> {
            bridge.up = true;
            return {};
        });
        if (!raised) return raised;
    }
    return ensure_uplink(bridge, network);
}

Result<void> MemoryLinks::ensure_uplink(Bridge& bridge, const model::Network& network) {
    auto& faults = world_.faults;
    if (bridge.uplink != network.uplink || bridge.vlan != network.vlan) {
        auto noted = faults.step("links.ensure_bridge.uplink_mark", [&]() -> Result<void> {
            bridge.uplink = network.uplink;
            bridge.vlan = network.vlan;
            bridge.uplinked = false;
            return {};
        });
        if (!noted) return noted;
    }
    if (bridge.uplinked || network.uplink.empty()) return {};
    return faults.step("links.ensure_bridge.uplink", [&]() -> Result<void> {
        auto possible = check_uplink(network, bridge.name, find_interface());
        bridge.uplinked = possible.has_value();
        return possible;
    });
}

FindInterface MemoryLinks::find_interface() const {
    return [this](const std::string& name) -> Result<std::optional<HostInterface>> { return host_interface(name); };
}

Result<void> MemoryLinks::remove_bridge(NetworkId network) {
    std::lock_guard lock(world_.mutex);
    auto& state = world_.state;
    if (auto met = world_.faults.at("links.remove_bridge"); !met) return met;
    const auto* bridge = bridge_of(network);
    if (bridge && members(network) > 0) {
        return std::unexpected(Error::from_errno("SIOCIFDESTROY", EBUSY, bridge->name + " has members"));
    }
    if (!bridge) return {};
    return world_.faults.step("links.remove_bridge.destroy", [&, name = bridge->name]() -> Result<void> {
        std::erase_if(state.bridges, [&](const Bridge& one) { return one.name == name; });
        return {};
    });
}

std::optional<HostInterface> MemoryLinks::host_interface(const std::string& name) const {
    if (!world_.host_has_interface(name)) return std::nullopt;
    HostInterface found{.name = name, .mtu = 1500, .addresses = {}};
    const auto& foreign = world_.state.foreign.interfaces;
    found.ours = !foreign.contains(name);
    found.bridge = name == kHostBridge ||
                   std::ranges::find(world_.state.bridges, name, &Bridge::name) != world_.state.bridges.end();
    for (const auto& own : kAddresses)
        if (own.interface == name) found.addresses.push_back(*Prefix::parse(own.address));
    for (const auto& bridge : world_.state.bridges)
        if (bridge.uplinked && bridge.vlan == 0 && bridge.uplink == name) found.master = bridge.name;
    return found;
}

Result<void> MemoryLinks::check(const model::Network& network) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.check"); !met) return met;
    return check_network(network, own_bridge_name(world_.driver.instance, network), find_interface());
}

Result<std::vector<Prefix>> MemoryLinks::addresses(const std::string& interface) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.addresses"); !met) return std::unexpected(met.error());
    const auto found = host_interface(interface);
    return found ? found->addresses : std::vector<Prefix>{};
}

Result<std::vector<Prefix>> MemoryLinks::used_prefixes() {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.used_prefixes"); !met) return std::unexpected(met.error());
    std::vector<Prefix> used;
    for (const auto& own : kAddresses) used.push_back(Prefix::parse(own.address)->network());
    for (const auto& bridge : world_.state.bridges) {
        for (const auto& address : bridge.addresses) used.push_back(address.network());
    }
    return used;
}

Result<bool> MemoryLinks::forwarding(Family family) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.forwarding"); !met) return std::unexpected(met.error());
    return family == Family::ipv4 ? world_.state.forwarding4 : world_.state.forwarding6;
}

Result<void> MemoryLinks::enable_forwarding(Family family) {
    std::lock_guard lock(world_.mutex);
    return world_.faults.step("links.enable_forwarding", [&]() -> Result<void> {
        (family == Family::ipv4 ? world_.state.forwarding4 : world_.state.forwarding6) = true;
        return {};
    });
}

}  // namespace jaild::kernel::memory
