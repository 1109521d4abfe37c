#include "core/kernel/freebsd/pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/kernel/freebsd/bridge.h"
#include "core/kernel/freebsd/dhcp_clients.h"
#include "core/kernel/freebsd/modules.h"
#include "core/kernel/freebsd/pure/solicitation.h"
#include "core/kernel/freebsd/pure/units.h"
#include "core/kernel/freebsd/system/addresses.h"
#include "core/kernel/freebsd/system/frames.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::freebsd::pair {
namespace {

Error not_found(std::string detail, std::string_view reason) {
    return Error{.code = Errc::not_found, .op = "links", .detail = std::move(detail), .reason = reason};
}

Error still_dying(const std::string& name) {
    return Error{.code = Errc::busy,
                 .op = "links",
                 .detail = "the jail that had " + name + " is dying, and its interfaces go with it",
                 .reason = "jail_dying"};
}

bool is_ours(const InstanceId& instance, LinkId id, const Interface& end) {
    return end.name == pair_name(instance, id, PairEnd::host) &&
           description(end.name) == jail_mark(instance, id.jail) && driver(end) == pair_driver(id.index);
}

/// The host's side of one pair.
struct HostEnd {
    std::optional<Interface> end;  ///< ours
    NetworkId network{};           ///< of ours, whose bridge it is on
    std::string bridge;            ///< that bridge, or another of the host's
    bool isolated = false;         ///< on it
};

/// An interface's place on a bridge.
struct Place {
    Interface bridge;
    bool isolated = false;
};

Result<std::map<std::string, Place>> places_by_member(const InstanceId& instance, const std::vector<Interface>& all) {
    std::map<std::string, Place> places;
    for (const auto& interface : all) {
        if (!interface.bridge) continue;
        const auto on_it = bridge::members(interface.name);
        if (!on_it) return std::unexpected(on_it.error());
        for (const auto& member : *on_it)
            if (parse_pair_name(instance, member.name))
                places[member.name] = {.bridge = interface, .isolated = member.isolated};
    }
    return places;
}

Result<std::map<LinkId, HostEnd>> host_ends(const InstanceId& instance, Scope scope) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto places = places_by_member(instance, *all);
    if (!places) return std::unexpected(places.error());
    std::map<LinkId, HostEnd> ends;
    for (const auto& interface : *all) {
        const auto id = parse_pair_name(instance, interface.name);
        if (!id || (scope && *scope != id->jail) || !is_ours(instance, *id, interface)) continue;
        auto& host = ends[*id];
        host.end = interface;
        const auto on = places->find(interface.name);
        if (on == places->end()) continue;
        host.bridge = on->second.bridge.name;
        const auto network = parse_bridge_name(instance, host.bridge);
        if (network && bridge::is_ours(instance, *network, on->second.bridge)) host.network = *network;
        host.isolated = on->second.isolated;
    }
    return ends;
}

Result<HostEnd> host_end(const InstanceId& instance, LinkId id) {
    auto ends = host_ends(instance, id.jail);
    if (!ends) return std::unexpected(ends.error());
    const auto found = ends->find(id);
    return found == ends->end() ? HostEnd{} : std::move(found->second);
}

ObservedLink observed(const InstanceId& instance, LinkId id, const HostEnd& host, const InsideEnd* inside) {
    ObservedLink link{.id = id};
    // Two ends inside: what the host has is an earlier pair's.
    link.host_end = host.end.has_value() && (inside == nullptr || inside->ends < 2);
    if (link.host_end) {
        link.bridge = host.network;
        if (host.network.value == 0) link.host_bridge = host.bridge;
        link.isolated = host.isolated;
    }
    if (inside == nullptr || inside->name.empty()) return link;
    link.jail_end = true;
    link.name = inside->name;
    link.up = link.host_end && host.end->up && inside->up;
    link.mtu = inside->mtu;
    if (inside->mac != mac_address(instance, id, PairEnd::jail)) link.mac = inside->mac;
    link.advertised = inside->advertised;
    link.addresses = inside->addresses;
    link.gateways = inside->gateways;
    return link;
}

/// Takes the host's end out of the jail and looks whether it is what it should be: the jail's root may have been faster
/// and have put something else under that name.
Result<Interface> take_out(const InstanceId& instance, LinkId id, int jid) {
    const auto name = pair_name(instance, id, PairEnd::host);
    if (auto done = reclaim(name, jid); !done) return std::unexpected(done.error());
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* end = named(*all, name);
    if (end != nullptr && is_ours(instance, id, *end)) return *end;
    if (auto gone = freebsd::destroy(name); !gone) return std::unexpected(gone.error());
    return std::unexpected(
        Error{.code = Errc::busy, .op = "links", .detail = name + " was changed inside the jail while it was set up"});
}

Result<void> configure(const InstanceId& instance, const LinkParameters& parameters, const Interface& end,
                       const HostEnd& before, const Interface& bridge) {
    // On the host it is a member of a bridge and nothing else: no address, not even a link-local one.
    if (auto done = set_ipv6(end.name, Ipv6::off); !done) return done;
    if (auto done = set_addresses(end, {}); !done) return done;
    if (const auto mac = mac_address(instance, parameters.id, PairEnd::host); end.mac != mac) {
        if (auto done = set_mac(end.name, mac); !done) return done;
    }
    // if_bridge(4) takes members of its own MTU only, but the first, which it follows.
    const auto mtu = parameters.bridge.empty() ? parameters.mtu : bridge.mtu;
    if (end.mtu != mtu) {
        if (auto done = set_mtu(end.name, mtu); !done) return done;
    }
    if (!before.bridge.empty() && before.bridge != bridge.name) {
        if (auto done = bridge::remove_member(before.bridge, end.name); !done) return done;
    }
    if (auto done = bridge::add_member(bridge.name, end.name); !done) return done;
    // Before it is up.
    if (auto done = bridge::set_isolated(bridge.name, end.name, parameters.isolated); !done) return done;
    return end.up ? Result<void>{} : raise(end.name);
}

Result<Interface> find_bridge(const InstanceId& instance, const LinkParameters& parameters) {
    const auto network = parameters.network;
    const bool own = parameters.bridge.empty();
    const auto name = own ? bridge_name(instance, network) : parameters.bridge;
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* there = named(*all, name);
    if (!own && there != nullptr && there->bridge) return *there;
    if (!own) return std::unexpected(bridge_not_found(name));
    if (there != nullptr && bridge::is_ours(instance, network, *there)) return *there;
    return std::unexpected(
        not_found(fmt::format("network {} has no bridge {}", network.value, name), "network_not_found"));
}

/// Somebody else's interface has the name of the host's end.
Result<void> check_host_name(const InstanceId& instance, LinkId id) {
    const auto name = pair_name(instance, id, PairEnd::host);
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* there = named(*all, name);
    if (there == nullptr || is_ours(instance, id, *there)) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "links",
                                 .detail = "an interface that is not ours has the name " + name,
                                 .reason = "name_in_use",
                                 .remedy = "ifconfig " + name + " destroy"});
}

/// Asks the network's routers for the jail, whose end is up before the other one is on the bridge: what it asked itself
/// then would reach nobody. A courtesy: they advertise themselves in any case, every few minutes.
void solicit(const InstanceId& instance, const LinkParameters& parameters, const Interface& bridge) {
    const auto own = mac_address(instance, parameters.id, PairEnd::jail);
    const auto frame = router_solicitation(parameters.mac.empty() ? own : parameters.mac);
    if (frame) (void)send_frame(bridge.name, *frame);
}

/// A dying jail of this id, beside a living one or alone.
Result<bool> is_dying(const Places& places, JailId jail) {
    const auto all = prisons();
    if (!all) return std::unexpected(all.error());
    const auto root = places.root(jail).string();
    return std::ranges::any_of(*all, [&](const Prison& prison) { return prison.dying && prison.path == root; });
}

/// An end on the host whose other end is nowhere in the jail: an earlier pair's, which goes with its network stack.
Result<void> discard_stale(const Places& places, JailId jail, const Interface& end) {
    const auto dying = is_dying(places, jail);
    if (!dying) return std::unexpected(dying.error());
    if (*dying) return std::unexpected(still_dying(end.name));
    return freebsd::destroy(end.name);
}

/// The DHCP clients that live for these links of one jail.
Result<void> observe_clients(const Places& places, JailId jail, const Prison& prison,
                             std::map<LinkId, ObservedLink>& links) {
    std::vector<LinkId> of_it;
    for (auto one = links.lower_bound({.jail = jail}); one != links.end() && one->first.jail == jail; ++one)
        of_it.push_back(one->first);
    const auto clients = dhcp::living(places, prison, of_it);
    if (!clients) return std::unexpected(clients.error());
    for (const auto& id : *clients) links.at(id).client = true;
    return {};
}

}  // namespace

Result<std::vector<ObservedLink>> list(const Places& places, const Inside& inside, Scope scope) {
    const auto ends = host_ends(places.instance, scope);
    if (!ends) return std::unexpected(ends.error());
    const auto jails = our_prisons(places, scope);
    if (!jails) return std::unexpected(jails.error());
    std::vector<JailReference> living;
    for (const auto& [id, prison] : *jails)
        if (!prison.dying && prison.vnet) living.push_back(reference(prison));
    const auto views = living.empty() ? std::vector<InsideView>{} : inside.look(living);
    if (!views) return std::unexpected(views.error());

    std::map<LinkId, ObservedLink> links;
    for (const auto& [id, host] : *ends) links[id] = observed(places.instance, id, host, nullptr);
    for (const auto& [jail, prison] : *jails) {
        const auto view = std::ranges::find(*views, prison.jid, &InsideView::jid);
        if (view == views->end()) continue;
        for (const auto& end : view->links) {
            const LinkId id{.jail = jail, .index = end.index};
            const auto host = ends->find(id);
            links[id] = observed(places.instance, id, host == ends->end() ? HostEnd{} : host->second, &end);
        }
        if (auto seen = observe_clients(places, jail, prison, links); !seen) return std::unexpected(seen.error());
    }
    std::vector<ObservedLink> listed;
    for (auto& [id, link] : links) listed.push_back(std::move(link));
    return listed;
}

Result<void> ensure(const Places& places, const Inside& inside, const LinkParameters& parameters) {
    const auto& instance = places.instance;
    const LinkId id = parameters.id;
    if (auto loaded = load_module("if_epair"); !loaded) return loaded;
    const auto prison = our_prison(places, id.jail);
    if (!prison) return std::unexpected(prison.error());
    if (!*prison)
        return std::unexpected(not_found(fmt::format("jail {} does not run", id.jail.value), "jail_not_found"));
    if (!(*prison)->vnet)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "links",
                                     .detail = "jail " + (*prison)->name + " has no network stack of its own"});
    const auto bridge = find_bridge(instance, parameters);
    if (!bridge) return std::unexpected(bridge.error());
    if (auto free = check_host_name(instance, id); !free) return free;

    auto host = host_end(instance, id);
    if (!host) return std::unexpected(host.error());
    // First: what a client was given is not taken away under its hands.
    if (parameters.dhcp == Learns::nothing)
        if (auto stopped = dhcp::stop(places, **prison, id); !stopped) return stopped;
    const auto view =
        inside.ensure(reference(**prison),
                      {.index = id.index,
                       .name = parameters.name,
                       .host_name = pair_name(instance, id, PairEnd::host),
                       .mark = jail_mark(instance, id.jail),
                       .host_mac = mac_address(instance, id, PairEnd::host),
                       .jail_mac = parameters.mac.empty() ? mac_address(instance, id, PairEnd::jail) : parameters.mac,
                       .mtu = parameters.jail_mtu,
                       .host_end_outside = host->end.has_value(),
                       .addresses = parameters.addresses,
                       .gateways = parameters.gateways,
                       .slaac = parameters.slaac,
                       .dhcp = parameters.dhcp != Learns::nothing});
    if (!view) return std::unexpected(view.error());
    // The pair may have been made anew, and an earlier one destroyed with both its ends.
    host = host_end(instance, id);
    if (!host) return std::unexpected(host.error());
    const auto* made = view->link(id.index);
    if (host->end && made != nullptr && made->ends >= 2) {
        if (auto gone = discard_stale(places, id.jail, *host->end); !gone) return gone;
        host = HostEnd{};
    }
    if (!host->end) {
        // A client of an earlier pair ends by itself, but not at once.
        if (auto stopped = dhcp::stop(places, **prison, id); !stopped) return stopped;
        auto end = take_out(instance, id, (*prison)->jid);
        if (!end) return std::unexpected(end.error());
        host->end = *std::move(end);
    }
    if (auto done = configure(instance, parameters, *host->end, *host, *bridge); !done) return done;
    if (parameters.slaac != Learns::nothing) solicit(instance, parameters, *bridge);
    return parameters.dhcp == Learns::nothing ? Result<void>{} : dhcp::ensure(places, inside, **prison, parameters);
}

Result<void> destroy(const Places& places, const Inside& inside, LinkId id) {
    const auto prison = our_prison(places, id.jail);
    if (!prison) return std::unexpected(prison.error());
    // From inside, where its connections can be ended first. What is seen in one without a network stack of its own is
    // the host's.
    const bool looks_inside = *prison && (*prison)->vnet;
    if (*prison)
        if (auto stopped = dhcp::stop(places, **prison, id); !stopped) return stopped;
    const auto gone = looks_inside ? inside.destroy(reference(**prison), id.index) : Result<void>{};
    const auto host = host_end(places.instance, id);
    if (!host) return std::unexpected(host.error());
    return host->end ? discard_stale(places, id.jail, *host->end) : gone;
}

}  // namespace jaild::kernel::freebsd::pair
