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

bool holds(const auto& list, const auto& one) {
    return std::ranges::find(list, one) != list.end();
}

/// What there is on every network says: 2001:db8:0:<interface>::<jail>/64 by fe80::1, and
/// 198.<18 + interface>.<jail>/16 by its first address.
Prefix learned(LinkId id, Family family) {
    const auto jail = static_cast<std::uint64_t>(id.jail.value);
    const auto interface = static_cast<std::uint8_t>(id.index);
    Prefix prefix{.address = {.family = family, .bytes = {}}, .length = family == Family::ipv4 ? 16U : 64U};
    if (family == Family::ipv4)
        prefix.address.bytes = {198, static_cast<std::uint8_t>(18 + interface)};
    else
        prefix.address.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, interface};
    prefix.address = prefix.nth(jail + 1);
    return prefix;
}

/// It says it whenever somebody looks.
void learn(Pair& pair, Family family, Learns learns) {
    if (learns == Learns::nothing || !pair.jail_up || !pair.host_up || pair.bridge == NetworkId{}) return;
    const auto own = learned(pair.owner, family);
    const IpAddress router =
        family == Family::ipv4
            ? own.network().nth(1)
            : IpAddress{.family = family, .bytes = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    if (!holds(pair.addresses, own)) pair.addresses.push_back(own);
    if (learns == Learns::addresses_and_route && !holds(pair.gateways, router)) pair.gateways.push_back(router);
}

void forget(Pair& pair, Family family) {
    std::erase_if(pair.addresses, [&](const Prefix& one) { return one.address.family == family; });
    std::erase_if(pair.gateways, [&](const IpAddress& one) { return one.family == family; });
}

/// A default route needs a connected prefix, or is by a link-local address; the kernel drops it when that goes.
bool reachable(const Pair& pair, const IpAddress& gateway) {
    if (pair.jail_up && gateway.bytes[0] == 0xfe && gateway.bytes[1] == 0x80) return true;
    return pair.jail_up && std::ranges::any_of(pair.addresses, [&](const Prefix& own) {
               return own.address.family == gateway.family && own.network().contains(gateway);
           });
}

}  // namespace

Result<std::vector<ObservedLink>> MemoryLinks::list(Scope scope) {
    std::lock_guard lock(world_.mutex);
    if (auto met = world_.faults.at("links.list"); !met) return std::unexpected(met.error());
    std::vector<ObservedLink> listed;
    for (auto& pair : world_.state.pairs) {
        if (!world_.owns(pair.owner.jail, scope)) continue;
        const auto* prison = world_.prison_of(pair.jid);
        const bool inside = prison && prison->life == JailLife::alive;  // nobody can look into another
        if (inside && pair.client) learn(pair, Family::ipv4, pair.dhcp);
        if (inside) learn(pair, Family::ipv6, pair.slaac);
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
            link.advertised = pair.slaac != Learns::nothing;
            link.client = pair.client;
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
    const auto families = given_families(parameters);
    const auto wanted = [&](const Prefix& one) {
        return holds(parameters.addresses, one) || !holds(families, one.address.family);
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
    if (pair.slaac != parameters.slaac) {
        auto set = faults.step("links.ensure.learn", [&]() -> Result<void> {
            // What was given before it began to learn is not its own any more.
            if (pair.slaac == Learns::nothing) forget(pair, Family::ipv6);
            pair.slaac = parameters.slaac;
            return {};
        });
        if (!set) return set;
    }
    if (auto set = set_client(pair, parameters); !set) return set;
    if (auto set = set_addresses(pair, parameters); !set) return set;
    return set_gateways(pair, parameters);
}

Result<void> MemoryLinks::set_client(Pair& pair, const LinkParameters& parameters) {
    const bool wanted = parameters.dhcp != Learns::nothing;
    if (pair.client == wanted && pair.dhcp == parameters.dhcp) return {};
    return world_.faults.step("links.ensure.client", [&]() -> Result<void> {
        forget(pair, Family::ipv4);  // udhcpc(8) begins and ends without an address
        pair.dhcp = parameters.dhcp;
        pair.client = wanted;
        return {};
    });
}

Result<void> MemoryLinks::check(const model::NetworkSpec&) {
    return {};  // it knows all that a spec can say
}

/// What it learned stays.
Result<void> MemoryLinks::set_gateways(Pair& pair, const LinkParameters& parameters) {
    const auto families = given_families(parameters);
    auto wanted = parameters.gateways;
    for (const auto& gateway : pair.gateways)
        if (!holds(families, gateway.family)) wanted.push_back(gateway);
    if (pair.gateways == wanted) return {};
    return world_.faults.step("links.ensure.route", [&]() -> Result<void> {
        for (const auto& gateway : parameters.gateways) {
            if (!reachable(pair, gateway)) {
                return std::unexpected(system_error("RTM_ADD", ENETUNREACH, gateway.to_string()));
            }
        }
        pair.gateways = std::move(wanted);
        // A network stack has one default route of a family: the drivers take another interface's away.
        for (auto& other : world_.state.pairs)
            if (other.jid == pair.jid && other.owner != pair.owner)
                std::erase_if(other.gateways, [&](const IpAddress& one) {
                    return std::ranges::any_of(parameters.gateways,
                                               [&](const IpAddress& mine) { return mine.family == one.family; });
                });
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
