#include "core/kernel/links.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/memory/ports.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::memory {
namespace {

Error system_error(std::string_view op, int sys, std::string detail) {
    return Error::from_errno(op, sys, std::move(detail));
}

/// A default route needs a connected prefix; the kernel drops it when that goes.
bool reachable(const Pair& pair, const IpAddress& gateway) {
    return pair.jail_up && std::ranges::any_of(pair.addresses, [&](const Prefix& own) {
               return own.address.family == gateway.family && own.network().contains(gateway);
           });
}

}  // namespace

Result<std::vector<ObservedLink>> MemoryLinks::list(Scope scope) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.list"); !met) return std::unexpected(met.error());
    std::vector<ObservedLink> listed;
    for (const auto& pair : world_.state.pairs) {
        if (!world_.owns(pair.owner.jail, scope)) continue;
        const auto* prison = world_.prison_of(pair.jid);
        const bool inside = prison && prison->life == JailLife::alive;  // nobody can look into another
        ObservedLink link;
        link.id = pair.owner;
        link.host_end = pair.taken_out;
        link.bridge = pair.bridge;
        link.isolated = pair.isolated;
        link.host_bridge = pair.host_bridge;
        link.mtu = pair.jail_mtu;
        link.mac = pair.jail_mac;
        if (inside && !pair.jail_mark.empty()) {
            link.jail_end = true;
            link.name = pair.jail_name;
            link.up = pair.host_up && pair.jail_up;
            link.addresses = pair.addresses;
            link.gateways = pair.gateways;
        }
        if (link.host_end || link.jail_end) listed.push_back(link);
    }
    std::ranges::sort(listed, {}, &ObservedLink::id);
    return listed;
}

/// Pair, names and marks inside the vnet, in which nothing of the user's runs yet.
Result<void> MemoryLinks::make_pair(const LinkParameters& parameters, std::int64_t jid) {
    const LinkId id = parameters.id;
    auto& faults = world_.faults;
    const auto& instance = world_.driver.instance;
    auto created = faults.step("links.ensure.create", [&]() -> Result<void> {
        const auto unit = ++world_.state.last_unit;
        world_.state.pairs.push_back({.owner = id,
                                      .jid = jid,
                                      .host_name = fmt::format("epair{}a", unit),
                                      .jail_name = fmt::format("epair{}b", unit)});
        return {};
    });
    if (!created) return created;
    const auto host_name = pair_name(instance, id, PairEnd::host);
    auto renamed = faults.step("links.ensure.rename", [&]() -> Result<void> {
        if (host_name.size() > kMaxInterfaceName) {
            return std::unexpected(system_error("SIOCSIFNAME", ENAMETOOLONG, host_name));
        }
        const auto others = world_.pairs_in(jid);
        if (std::ranges::find(others, parameters.name, &Pair::jail_name) != others.end()) {
            return std::unexpected(system_error("SIOCSIFNAME", EEXIST, parameters.name));
        }
        auto* pair = world_.pair_in(jid, id.index);
        pair->host_name = host_name;
        pair->jail_name = parameters.name;
        return {};
    });
    if (!renamed) return renamed;
    return faults.step("links.ensure.mark", [&]() -> Result<void> {
        auto* pair = world_.pair_in(jid, id.index);
        pair->host_mark = jail_mark(instance, id.jail);
        pair->jail_mark = pair->host_mark;
        return {};
    });
}

Result<void> MemoryLinks::take_out(Pair& pair) {
    return world_.faults.step("links.ensure.take_out", [&]() -> Result<void> {
        if (world_.host_has_interface(pair.host_name)) {
            return std::unexpected(system_error("SIOCSIFRVNET", EEXIST, pair.host_name));
        }
        if (pair.host_mark.empty())
            world_.violate("an interface without our mark comes to the host: " + pair.host_name);
        pair.taken_out = true;
        return {};
    });
}

Result<void> MemoryLinks::join_bridge(Pair& pair, const LinkParameters& parameters) {
    if (pair.mtu != parameters.mtu) {
        auto set = world_.faults.step("links.ensure.mtu", [&]() -> Result<void> {
            pair.mtu = parameters.mtu;
            return {};
        });
        if (!set) return set;
    }
    if (auto joined = become_member(pair, parameters); !joined || pair.isolated == parameters.isolated) return joined;
    return world_.faults.step("links.ensure.isolate", [&]() -> Result<void> {
        pair.isolated = parameters.isolated;
        return {};
    });
}

Result<void> MemoryLinks::become_member(Pair& pair, const LinkParameters& parameters) {
    const bool own = parameters.bridge.empty();
    if (own ? pair.bridge == parameters.network : pair.host_bridge == parameters.bridge) return {};
    if (!own) return join_host_bridge(pair, parameters.bridge);
    return world_.faults.step("links.ensure.bridge", [&]() -> Result<void> {
        const auto* bridge = bridge_of(parameters.network);
        if (!bridge || bridge->mark.empty()) {
            return std::unexpected(system_error("BRDGADD", ENXIO, "the network has no bridge"));
        }
        if (bridge->mtu != pair.mtu) return std::unexpected(system_error("BRDGADD", EINVAL, "another MTU"));
        pair.bridge = parameters.network;
        pair.host_bridge.clear();
        pair.isolated = false;  // as every new member
        return {};
    });
}

Result<void> MemoryLinks::join_host_bridge(Pair& pair, const std::string& bridge) {
    return world_.faults.step("links.ensure.bridge", [&]() -> Result<void> {
        if (!host_interface(bridge) || !host_interface(bridge)->bridge)
            return std::unexpected(bridge_not_found(bridge));
        pair.host_bridge = bridge;
        pair.bridge = {};
        pair.isolated = false;
        return {};
    });
}

Result<void> MemoryLinks::set_addresses(Pair& pair, const LinkParameters& parameters) {
    auto& faults = world_.faults;
    const auto wanted = [&](const Prefix& one) {
        return std::ranges::find(parameters.addresses, one) != parameters.addresses.end();
    };
    if (!std::ranges::all_of(pair.addresses, wanted)) {
        auto removed = faults.step("links.ensure.address_remove", [&]() -> Result<void> {
            std::erase_if(pair.addresses, [&](const Prefix& one) { return !wanted(one); });
            std::erase_if(pair.gateways, [&](const IpAddress& one) { return !reachable(pair, one); });
            return {};
        });
        if (!removed) return removed;
    }
    for (const auto& address : parameters.addresses) {
        if (std::ranges::find(pair.addresses, address) != pair.addresses.end()) continue;
        auto added = faults.step("links.ensure.address", [&]() -> Result<void> {
            for (const auto& other : world_.state.pairs) {
                const auto* lives = world_.prison_of(other.jid);
                // A dying one cannot be looked into, so nobody can know; its end leaves the bridge in destroy().
                if (other.owner.jail == pair.owner.jail || !lives || lives->life == JailLife::dying) continue;
                for (const auto& taken : other.addresses) {
                    if (taken.address != address.address) continue;
                    world_.violate(fmt::format("jails {} and {} both have {}", other.owner.jail.value,
                                               pair.owner.jail.value, address.address.to_string()));
                }
            }
            pair.addresses.push_back(address);
            return {};
        });
        if (!added) return added;
    }
    return {};
}

Result<void> MemoryLinks::configure(Pair& pair, const LinkParameters& parameters) {
    auto& faults = world_.faults;
    if (pair.jail_name != parameters.name) {
        auto renamed = faults.step("links.ensure.rename_inside", [&]() -> Result<void> {
            pair.jail_name = parameters.name;
            return {};
        });
        if (!renamed) return renamed;
    }
    if (!pair.host_up || !pair.jail_up) {
        auto raised = faults.step("links.ensure.up", [&]() -> Result<void> {
            pair.host_up = pair.jail_up = true;
            return {};
        });
        if (!raised) return raised;
    }
    if (pair.jail_mtu != parameters.jail_mtu || pair.jail_mac != parameters.mac) {
        auto set = faults.step("links.ensure.inside", [&]() -> Result<void> {
            pair.jail_mtu = parameters.jail_mtu;
            pair.jail_mac = parameters.mac;
            return {};
        });
        if (!set) return set;
    }
    if (auto set = set_addresses(pair, parameters); !set) return set;
    if (pair.gateways == parameters.gateways) return {};
    return faults.step("links.ensure.route", [&]() -> Result<void> {
        for (const auto& gateway : parameters.gateways) {
            if (!reachable(pair, gateway)) {
                return std::unexpected(system_error("RTM_ADD", ENETUNREACH, gateway.to_string()));
            }
        }
        pair.gateways = parameters.gateways;
        return {};
    });
}

Result<void> MemoryLinks::ensure(const LinkParameters& parameters) {
    std::lock_guard lock(world_.mutex);
    auto& faults = world_.faults;
    if (auto met = faults.at("links.ensure"); !met) return met;
    auto* prison = world_.prison(parameters.id.jail);
    if (!prison || prison->life != JailLife::alive) {
        return std::unexpected(system_error("jail_attach", ENOENT, "the jail is not there"));
    }
    if (prison->mode == model::NetworkMode::inherit || prison->mode == model::NetworkMode::alias) {
        world_.violate(fmt::format("jail {} gets a link into the host's network stack", parameters.id.jail.value));
        return std::unexpected(system_error("jail_attach", EPERM, "it has no network stack of its own"));
    }
    const auto jid = prison->jid;
    const auto index = parameters.id.index;
    if (auto* half = world_.pair_in(jid, index); half && !half->taken_out) {
        // Made by somebody who died before its end was out: nothing outside knows of it.
        auto discarded = faults.step("links.ensure.discard", [&]() -> Result<void> {
            std::erase_if(world_.state.pairs,
                          [&](const Pair& pair) { return pair.jid == jid && pair.owner.index == index; });
            return {};
        });
        if (!discarded) return discarded;
    }
    if (!world_.pair_in(jid, index)) {
        if (auto made = make_pair(parameters, jid); !made) return made;
        if (auto out = take_out(*world_.pair_in(jid, index)); !out) return out;
    }
    auto& pair = *world_.pair_in(jid, index);
    if (auto joined = join_bridge(pair, parameters); !joined) return joined;
    return configure(pair, parameters);
}

Result<void> MemoryLinks::destroy(LinkId id) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.destroy"); !met) return met;
    for (auto& pair : world_.state.pairs) {
        const auto* prison = world_.prison_of(pair.jid);
        if (pair.owner == id && prison && prison->life == JailLife::dying) {
            // Destroying a pair while its vnet is being returned panics a real kernel: wait. But its network stack
            // answers still, so that it must not stay on the bridge.
            pair.host_up = false;
            pair.bridge = {};
            pair.host_bridge.clear();
            return std::unexpected(
                system_error("SIOCIFDESTROY", EBUSY, "the jail is dying, its interfaces return later"));
        }
    }
    return world_.faults.step("links.destroy.pair", [&]() -> Result<void> {
        std::erase_if(world_.state.pairs, [&](const Pair& pair) { return pair.owner == id; });
        return {};
    });
}

}  // namespace jaild::kernel::memory
