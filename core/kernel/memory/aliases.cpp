#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/ports.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::memory {
namespace {

bool on_host(const World& world, const IpAddress& address) {
    const auto is = [&](const Alias& one) { return one.address.address == address; };
    return std::ranges::any_of(world.state.host_addresses, is) ||
           std::ranges::any_of(world.state.foreign.addresses, is);
}

/// What is written down of a jail's in this life of the host.
std::vector<Alias> given(World& world, JailId jail) {
    const auto* held = world.directory(jail);
    return held && held->aliases_boot == world.state.boot ? held->aliases : std::vector<Alias>{};
}

bool was_given(World& world, JailId jail, const IpAddress& address) {
    return std::ranges::any_of(given(world, jail), [&](const Alias& one) { return one.address.address == address; });
}

Error in_use(const Alias& alias, Errc code) {
    return {.code = code,
            .op = "SIOCAIFADDR",
            .sys = EEXIST,
            .detail = alias.address.address.to_string() + " is an address of this host",
            .reason = "address_in_use"};
}

}  // namespace

Result<std::vector<ObservedAlias>> MemoryLinks::aliases(JailId jail) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.aliases"); !met) return std::unexpected(met.error());
    std::vector<ObservedAlias> listed;
    for (const auto& one : given(world_, jail)) {
        const auto& there = world_.state.host_addresses;
        listed.push_back({.alias = one, .present = std::ranges::find(there, one) != there.end()});
    }
    return listed;
}

Result<void> MemoryLinks::ensure_alias(JailId jail, const Alias& alias) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.ensure_alias"); !met) return met;
    if (!world_.state.foreign.interfaces.contains(alias.interface))
        return std::unexpected(interface_not_found(alias.interface, ""));
    auto* held = world_.directory(jail);
    if (!held) return std::unexpected(Error::from_errno("open", ENOENT, "the jail has no directory"));
    if (on_host(world_, alias.address.address) && !was_given(world_, jail, alias.address.address))
        return std::unexpected(in_use(alias, Errc::busy));
    auto known = given(world_, jail);
    if (std::ranges::find(known, alias) == known.end()) {
        known.push_back(alias);
        auto remembered = world_.faults.step("links.ensure_alias.remember", [&]() -> Result<void> {
            held->aliases = known;
            held->aliases_boot = world_.state.boot;
            return {};
        });
        if (!remembered) return remembered;
    }
    auto& there = world_.state.host_addresses;
    if (std::ranges::find(there, alias) != there.end()) return {};
    return world_.faults.step("links.ensure_alias.add", [&]() -> Result<void> {
        // The same on that interface with another length gives way: in.c.
        std::erase_if(there, [&](const Alias& one) {
            return one.interface == alias.interface && one.address.address == alias.address.address;
        });
        if (on_host(world_, alias.address.address))
            world_.violate(alias.address.address.to_string() + " is on two interfaces of the host");
        there.push_back(alias);
        return {};
    });
}

Result<void> MemoryLinks::remove_alias(JailId jail, const Alias& alias) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.remove_alias"); !met) return met;
    auto known = given(world_, jail);
    if (std::erase(known, alias) == 0) return {};
    auto removed = world_.faults.step("links.remove_alias.remove", [&]() -> Result<void> {
        std::erase(world_.state.host_addresses, alias);
        return {};
    });
    if (!removed) return removed;
    return world_.faults.step("links.remove_alias.forget", [&]() -> Result<void> {
        world_.directory(jail)->aliases = known;
        return {};
    });
}

Result<void> MemoryLinks::check_alias(const Alias& alias, const std::vector<JailId>& jails) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.check_alias"); !met) return met;
    if (!world_.state.foreign.interfaces.contains(alias.interface))
        return std::unexpected(interface_not_found(alias.interface, ""));
    const auto& address = alias.address.address;
    const bool ours = std::ranges::any_of(jails, [&](JailId jail) { return was_given(world_, jail, address); });
    return !on_host(world_, address) || ours ? Result<void>{} : std::unexpected(in_use(alias, Errc::conflict));
}

}  // namespace jaild::kernel::memory
