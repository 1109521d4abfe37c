#include "core/kernel/freebsd/vlan.h"

#include <cerrno>

#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/pure/units.h"
#include "core/kernel/freebsd/system/vlans.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd::vlan {
namespace {

/// Made and not yet named: nobody else's would have this unit, no description, and be down.
bool is_half_made(const InstanceId& instance, NetworkId network, const Interface& interface) {
    if (!is_vlan_driver(instance, network, interface.name) || interface.up) return false;
    const auto text = description(interface.name);
    return text.empty() || text == network_mark(instance, network);
}

bool is_ours(const InstanceId& instance, NetworkId network, const Interface& interface) {
    if (interface.name != vlan_name(instance, network)) return is_half_made(instance, network, interface);
    return is_vlan_driver(instance, network, driver(interface)) &&
           description(interface.name) == network_mark(instance, network);
}

const Interface* find_ours(const std::vector<Interface>& all, const InstanceId& instance, NetworkId network) {
    const auto* there = named(all, vlan_name(instance, network));
    if (there != nullptr) return is_ours(instance, network, *there) ? there : nullptr;
    for (const auto& driver : vlan_drivers(instance, network)) {
        there = named(all, driver);
        if (there != nullptr && is_half_made(instance, network, *there)) return there;
    }
    return nullptr;
}

Error name_in_use(const std::string& name) {
    return Error{.code = Errc::conflict,
                 .op = "links",
                 .detail = "an interface that is not ours has the name " + name,
                 .reason = "name_in_use",
                 .remedy = "see it by ifconfig -a, and rename or destroy it"};
}

/// With the first of its units that is free.
Result<std::string> make(const InstanceId& instance, NetworkId network) {
    Error taken;
    for (const auto& driver : vlan_drivers(instance, network)) {
        auto made = create(driver);
        if (made || made.error().sys != EEXIST) return made;
        taken = std::move(made).error();
    }
    return std::unexpected(std::move(taken));
}

/// Named and marked, whatever it is a VLAN of.
Result<std::string> find_or_make(const InstanceId& instance, NetworkId network) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto name = vlan_name(instance, network);
    const auto* there = find_ours(*all, instance, network);
    if (there == nullptr && named(*all, name) != nullptr) return std::unexpected(name_in_use(name));
    const auto now = there != nullptr ? Result<std::string>(there->name) : make(instance, network);
    if (!now || *now == name) return now;
    if (auto done = describe(*now, network_mark(instance, network)); !done) return std::unexpected(done.error());
    if (auto done = rename(*now, name); !done) return std::unexpected(done.error());
    return name;
}

}  // namespace

Result<std::optional<Vlan>> find(const std::vector<Interface>& all, const InstanceId& instance, NetworkId network) {
    const auto* there = find_ours(all, instance, network);
    if (there == nullptr) return std::nullopt;
    auto tag = vlan_tag(there->name);
    if (!tag) return std::unexpected(tag.error());
    return Vlan{.interface = *there, .parent = std::move(tag->parent), .id = tag->id};
}

Result<Interface> ensure(const InstanceId& instance, const model::Network& network) {
    if (auto loaded = load_module("if_vlan"); !loaded) return std::unexpected(loaded.error());
    auto name = find_or_make(instance, network.id);
    if (!name) return std::unexpected(name.error());
    const VlanTag wanted{.parent = network.uplink, .id = network.vlan};
    const auto now = vlan_tag(*name);
    if (!now) return std::unexpected(now.error());
    if (*now != wanted) {
        // One that has a parent takes no other.
        if (!now->parent.empty())
            if (auto done = set_vlan_tag(*name, {}); !done) return std::unexpected(done.error());
        if (auto done = set_vlan_tag(*name, wanted); !done) return std::unexpected(done.error());
    }
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* made = named(*all, *name);
    if (made == nullptr)
        return std::unexpected(
            Error{.code = Errc::busy, .op = "links", .detail = *name + " vanished while it was made"});
    if (made->mtu != network.mtu) {
        if (auto done = set_mtu(*name, network.mtu); !done) return std::unexpected(done.error());
    }
    const auto* parent = named(*all, network.uplink);
    if (parent != nullptr && !parent->up) {
        if (auto done = raise(network.uplink); !done) return std::unexpected(done.error());
    }
    return *made;
}

Result<void> remove(const InstanceId& instance, NetworkId network) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* there = find_ours(*all, instance, network);
    return there == nullptr ? Result<void>{} : destroy(there->name);
}

}  // namespace jaild::kernel::freebsd::vlan
