#include "core/kernel/linux/pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/kernel/linux/bridge.h"
#include "core/kernel/linux/configure.h"
#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/own_thread.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel::pair {
namespace {

using rtnl::Change;
using rtnl::Interface;

/// The pieces of one pair that exist, and where.
struct Pieces {
    std::optional<Interface> outside;  ///< host end on the host, ours
    std::optional<Interface> foreign;  ///< has the host end's name on the host, not our mark
    std::vector<Interface> inside;     ///< all in the jail's namespace that have a name of the pair's, or are its end

    [[nodiscard]] const Interface* named(const std::string& name) const {
        const auto found = std::ranges::find(inside, name, &Interface::name);
        return found == inside.end() ? nullptr : &*found;
    }
};

/// One of a jail's pairs. Made on a thread inside the jail's namespace; `host` was opened outside.
class Pair {
public:
    /// `name`: of the jail's end.
    Pair(const InstanceId& instance, LinkId id, std::string name, nl::Socket& host, nl::Socket& inside)
        : instance_(instance),
          id_(id),
          host_(host),
          inside_(inside),
          host_name_(pair_name(instance, id, PairEnd::host)),
          first_name_(pair_name(instance, id, PairEnd::jail)),
          name_(std::move(name)),
          mark_(jail_mark(instance, id.jail)) {}

    Result<void> ensure(const LinkParameters& parameters, const Interface& bridge, int host_netns);
    Result<void> destroy();

private:
    Result<Pieces> find();
    [[nodiscard]] const Interface* jail_end(const Pieces& pieces) const;
    [[nodiscard]] const Interface* host_end(const Pieces& pieces) const;
    [[nodiscard]] bool sound(const Pieces& pieces) const;
    Result<void> remove(const Pieces& pieces);
    Result<Pieces> make(unsigned mtu);
    Result<void> mark(const Pieces& pieces);
    Result<Interface> take_out(const Pieces& pieces, int host_netns);
    Result<void> configure_host_end(const Interface& end, const Interface& bridge, const LinkParameters& parameters);
    Result<void> configure_jail_end(Interface end, const LinkParameters& parameters);
    Result<void> raise_loopback();

    const InstanceId& instance_;
    LinkId id_;
    nl::Socket& host_;
    nl::Socket& inside_;
    std::string host_name_;
    std::string first_name_;  ///< of the jail's end until it has its own
    std::string name_;
    std::string mark_;
};

/// Two ends of one cable; each namespace has its own indices.
bool are_peers(const Interface& one, const Interface& other) {
    return one.kind == "veth" && other.kind == "veth" && one.peer == other.index && other.peer == one.index;
}

Error vanished(const std::string& name) {
    return Error{.code = Errc::busy, .op = "links", .detail = name + " vanished while it was set up"};
}

Result<Pieces> Pair::find() {
    Pieces pieces;
    auto outside = rtnl::find(host_, host_name_);
    if (!outside) return std::unexpected(outside.error());
    if (*outside) ((*outside)->alias == mark_ ? pieces.outside : pieces.foreign) = std::move(*outside);
    auto all = rtnl::interfaces(inside_);
    if (!all) return std::unexpected(all.error());
    std::erase_if(*all, [&](const Interface& interface) {
        const bool named = interface.name == host_name_ || interface.name == first_name_ || interface.name == name_;
        return !named && !(pieces.outside && are_peers(*pieces.outside, interface));
    });
    pieces.inside = std::move(*all);
    return pieces;
}

const Interface* Pair::jail_end(const Pieces& pieces) const {
    const auto* renamed = pieces.named(name_);
    return renamed != nullptr ? renamed : pieces.named(first_name_);
}

const Interface* Pair::host_end(const Pieces& pieces) const {
    return pieces.outside ? &*pieces.outside : pieces.named(host_name_);
}

/// Exactly two ends, each of which says that the other is its peer. Anything else is made anew: remains of an earlier
/// pair, or what somebody inside made under our names.
bool Pair::sound(const Pieces& pieces) const {
    const auto* host = host_end(pieces);
    const auto* jail = jail_end(pieces);
    if (host == nullptr || jail == nullptr || pieces.inside.size() + (pieces.outside ? 1 : 0) != 2) return false;
    return are_peers(*host, *jail);
}

Result<void> Pair::remove(const Pieces& pieces) {
    if (pieces.outside) {
        if (auto done = rtnl::remove(host_, *pieces.outside); !done) return done;
    }
    for (const auto& interface : pieces.inside) {  // the other end of one removed is gone already: success
        if (auto done = rtnl::remove(inside_, interface); !done) return done;
    }
    return {};
}

Result<Pieces> Pair::make(unsigned mtu) {
    auto made =
        rtnl::add_veth(inside_, {.name = host_name_, .mac = mac_address(instance_, id_, PairEnd::host), .mtu = mtu},
                       {.name = first_name_, .mac = mac_address(instance_, id_, PairEnd::jail), .mtu = mtu});
    if (!made) return std::unexpected(made.error());
    auto pieces = find();
    if (pieces && !sound(*pieces)) return std::unexpected(vanished(host_name_));
    return pieces;
}

/// Both ends, the host's before it is taken out: nothing unmarked is ever on the host.
Result<void> Pair::mark(const Pieces& pieces) {
    const auto* host = host_end(pieces);
    if (host->alias != mark_) {
        if (auto done = rtnl::change(inside_, *host, Change{.alias = mark_}); !done) return done;
    }
    const auto* jail = jail_end(pieces);
    if (jail->alias == mark_) return {};
    return rtnl::change(inside_, *jail, Change{.alias = mark_});
}

Result<Interface> Pair::take_out(const Pieces& pieces, int host_netns) {
    if (pieces.outside) return *pieces.outside;
    auto moved = rtnl::change(inside_, *host_end(pieces), Change{.netns = host_netns});
    if (!moved) return std::unexpected(moved.error());
    auto outside = rtnl::find(host_, host_name_);
    if (!outside) return std::unexpected(outside.error());
    if (!*outside) return std::unexpected(vanished(host_name_));
    return std::move(**outside);
}

Result<void> Pair::configure_host_end(const Interface& end, const Interface& bridge, const LinkParameters& parameters) {
    const bool own = parameters.bridge.empty();
    // Neither size nor address of a bridge that is not ours follows its new member's.
    const auto mac = own ? mac_address(instance_, id_, PairEnd::host) : high_mac_address(instance_, id_);
    const auto mtu = own ? parameters.mtu : bridge.mtu;
    Change change;
    if (end.mac != mac) change.mac = mac;
    if (end.mtu != mtu) change.mtu = mtu;
    if (end.master != bridge.index) change.master = bridge.index;
    if (auto changed = rtnl::change(host_, end, change); !changed) return changed;
    // A new member has the kernel's flags; it has ours before it is up.
    const rtnl::Port wanted{.hairpin = true, .isolated = parameters.isolated};
    const auto now = change.master ? rtnl::Port{} : end.port;
    if (now != wanted) {
        if (auto set = rtnl::set_port(host_, end, wanted); !set) return set;
    }
    return end.up ? Result<void>{} : rtnl::change(host_, end, Change{.up = true});
}

Result<void> Pair::configure_jail_end(Interface end, const LinkParameters& parameters) {
    if (end.name != name_) {
        if (auto done = rtnl::change(inside_, end, Change{.name = name_, .up = false}); !done) return done;
        end.name = name_;
        end.up = false;
    }
    const auto learned = rtnl::takes_advertisements(end.name);
    if (!learned) return std::unexpected(learned.error());
    if (auto done = rtnl::prepare_ipv6(end.name, parameters.addresses, parameters.slaac); !done) return done;
    Change change;
    const auto mac = parameters.mac.empty() ? mac_address(instance_, id_, PairEnd::jail) : parameters.mac;
    if (end.mac != mac) change.mac = mac;
    if (end.mtu != parameters.jail_mtu) change.mtu = parameters.jail_mtu;
    if (!end.up) change.up = true;
    if (auto done = rtnl::change(inside_, end, change); !done) return done;
    auto families = given_families(parameters);
    // What was given before it began to learn is not its own any more.
    if (parameters.slaac != Learns::nothing && !*learned) families.push_back(Family::ipv6);
    if (auto done = rtnl::set_addresses(inside_, end.index, parameters.addresses, families); !done) return done;
    return rtnl::set_gateways(inside_, end.index, parameters.gateways, families);
}

/// Raising lo gives it 127.0.0.1/8 and ::1.
Result<void> Pair::raise_loopback() {
    const auto loopback = rtnl::find(inside_, "lo");
    if (!loopback) return std::unexpected(loopback.error());
    if (!*loopback || (*loopback)->up) return {};
    return rtnl::change(inside_, **loopback, Change{.up = true});
}

Result<void> Pair::ensure(const LinkParameters& parameters, const Interface& bridge, int host_netns) {
    auto pieces = find();
    if (!pieces) return std::unexpected(pieces.error());
    if (pieces->foreign) return std::unexpected(rtnl::name_in_use(*pieces->foreign));
    if (!sound(*pieces)) {
        if (auto done = remove(*pieces); !done) return done;
        pieces = make(parameters.mtu);
        if (!pieces) return std::unexpected(pieces.error());
    }
    if (!pieces->outside) {
        if (auto done = mark(*pieces); !done) return done;
    }
    const auto outside = take_out(*pieces, host_netns);
    if (!outside) return std::unexpected(outside.error());
    if (auto done = configure_host_end(*outside, bridge, parameters); !done) return done;
    if (auto done = raise_loopback(); !done) return done;
    return configure_jail_end(*jail_end(*pieces), parameters);
}

Result<void> Pair::destroy() {
    auto pieces = find();
    if (!pieces) return std::unexpected(pieces.error());
    // No name is needed here, so that one that the jail's root uses for something of his own stays.
    std::erase_if(pieces->inside, [&](const Interface& interface) {
        const bool joined = pieces->outside && are_peers(*pieces->outside, interface);
        return interface.name == name_ && interface.alias != mark_ && !joined;
    });
    return remove(*pieces);
}

Result<Interface> find_host_bridge(nl::Socket& host, const std::string& name) {
    auto found = rtnl::find(host, name);
    if (!found) return std::unexpected(found.error());
    if (*found && (*found)->kind == "bridge") return std::move(**found);
    return std::unexpected(bridge_not_found(name));
}

Result<Interface> find_bridge(nl::Socket& host, const InstanceId& instance, const LinkParameters& parameters) {
    if (!parameters.bridge.empty()) return find_host_bridge(host, parameters.bridge);
    const auto network = parameters.network;
    auto found = rtnl::find(host, bridge_name(instance, network));
    if (!found) return std::unexpected(found.error());
    if (*found && bridge::is_ours(instance, network, **found)) return std::move(**found);
    return std::unexpected(
        Error{.code = Errc::not_found,
              .op = "links",
              .detail = fmt::format("network {} has no bridge {}", network.value, bridge_name(instance, network)),
              .reason = "network_not_found"});
}

/// Runs `work` inside the namespace of each jail that has one, with a socket there. One thread for all: on a busy host
/// each new one would wait for its turn. Those that have one.
Result<std::set<JailId>> visit(const InstanceId& instance, const std::vector<JailId>& jails,
                               const std::function<Result<void>(JailId, nl::Socket&)>& work) {
    std::set<JailId> visited;
    if (jails.empty()) return visited;
    auto done = on_own_thread([&]() -> Result<void> {
        for (const auto jail : jails) {
            const auto netns = netns::open(container_name(instance, jail));
            if (!netns) return std::unexpected(netns.error());
            if (!*netns) continue;
            if (auto entered = netns::enter((*netns)->get()); !entered) return entered;
            auto inside = nl::Socket::open();
            if (!inside) return std::unexpected(inside.error());
            if (auto worked = work(jail, *inside); !worked) return worked;
            visited.insert(jail);
        }
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return visited;
}

/// The same of one; false when it has none.
Result<bool> visit(const InstanceId& instance, JailId jail, const std::function<Result<void>(nl::Socket&)>& work) {
    const auto visited = visit(instance, std::vector{jail}, [&](JailId, nl::Socket& inside) { return work(inside); });
    if (!visited) return std::unexpected(visited.error());
    return !visited->empty();
}

/// A host end of ours, with the bridge that it is on.
struct HostEnd {
    Interface interface;
    NetworkId bridge{};       ///< 0: none of ours
    std::string host_bridge;  ///< that it is on instead
};
using HostEnds = std::map<LinkId, HostEnd>;
using Links = std::map<LinkId, ObservedLink>;

void add_host_end(HostEnds& ends, const InstanceId& instance, const Interface& end, const Interface* master) {
    const auto id = parse_pair_name(instance, end.name);
    if (!id || end.alias != jail_mark(instance, id->jail)) return;
    auto& known = ends[*id];
    known.interface = end;
    if (master == nullptr) return;
    const auto network = parse_bridge_name(instance, master->name);
    if (network && bridge::is_ours(instance, *network, *master))
        known.bridge = *network;
    else if (master->kind == "bridge")
        known.host_bridge = master->name;
}

/// One question to the kernel for each name that the jail's could have.
Result<HostEnds> host_ends_of(nl::Socket& host, const InstanceId& instance, JailId jail) {
    HostEnds ends;
    for (unsigned index = 0; index < kMaxInterfaces; ++index) {
        const auto end = rtnl::find(host, pair_name(instance, {.jail = jail, .index = index}, PairEnd::host));
        if (!end) return std::unexpected(end.error());
        if (!*end) continue;
        std::optional<Interface> master;
        if ((*end)->master != 0) {
            auto found = rtnl::find(host, (*end)->master);
            if (!found) return std::unexpected(found.error());
            master = std::move(*found);
        }
        add_host_end(ends, instance, **end, master ? &*master : nullptr);
    }
    return ends;
}

/// One dump for all.
Result<HostEnds> host_ends(nl::Socket& host, const InstanceId& instance, Scope scope) {
    if (scope) return host_ends_of(host, instance, *scope);
    HostEnds ends;
    const auto all = rtnl::interfaces(host);
    if (!all) return std::unexpected(all.error());
    std::map<int, const Interface*> by_index;
    for (const auto& interface : *all) by_index[interface.index] = &interface;
    for (const auto& interface : *all) {
        const auto master = by_index.find(interface.master);
        add_host_end(ends, instance, interface, master == by_index.end() ? nullptr : master->second);
    }
    return ends;
}

/// Fills in what the jail's end itself says.
Result<void> observe_end(nl::Socket& inside, const Interface& end, ObservedLink& link) {
    auto addresses = rtnl::addresses_of(inside, end.index);
    if (!addresses) return std::unexpected(addresses.error());
    auto gateways = rtnl::gateways_of(inside, end.index);
    if (!gateways) return std::unexpected(gateways.error());
    link.jail_end = true;
    link.name = end.name;
    link.up = link.up && end.up;
    link.mtu = end.mtu;
    link.mac = end.mac;
    const auto advertised = rtnl::takes_advertisements(end.name);
    if (!advertised) return std::unexpected(advertised.error());
    link.advertised = *advertised;
    link.addresses = std::move(*addresses);
    link.gateways = std::move(*gateways);
    return {};
}

/// Whose end an interface inside is: by the cable, or where the host's end is not out, or gone, by a name of ours.
std::optional<LinkId> link_of(const Interface& interface, const InstanceId& instance, JailId jail,
                              const HostEnds& ends) {
    for (const auto& [id, end] : ends)
        if (id.jail == jail && are_peers(end.interface, interface)) return id;
    for (unsigned index = 0; index < kMaxInterfaces; ++index) {
        const LinkId id{.jail = jail, .index = index};
        const bool named = interface.name == pair_name(instance, id, PairEnd::host) ||
                           interface.name == pair_name(instance, id, PairEnd::jail);
        // The jail's root may have a vnet1 of his own.
        const bool marked = interface.name == jail_interface(index) && interface.alias == jail_mark(instance, jail);
        if (named || marked) return id;
    }
    return std::nullopt;
}

/// Adds what a jail's namespace says of its ends to what the host says of theirs.
Result<void> observe_inside(nl::Socket& inside, const InstanceId& instance, JailId jail, const HostEnds& ends,
                            Links& links) {
    const auto all = rtnl::interfaces(inside);
    if (!all) return std::unexpected(all.error());
    for (const auto& interface : *all) {
        const auto id = link_of(interface, instance, jail, ends);
        if (!id) continue;
        auto& link = links[*id];
        link.id = *id;
        const auto host = ends.find(*id);
        const bool joined = host != ends.end() && are_peers(host->second.interface, interface);
        // What the cable says outranks what has a name only.
        if (!joined && (interface.name != jail_interface(id->index) || link.jail_end)) continue;
        if (auto done = observe_end(inside, interface, link); !done) return done;
        if (link.mac == mac_address(instance, *id, PairEnd::jail)) link.mac.clear();
    }
    return {};
}

/// Jails that may have an end inside.
Result<std::vector<JailId>> with_namespace(const InstanceId& instance, Scope scope) {
    if (scope) return std::vector{*scope};
    const auto names = netns::list();
    if (!names) return std::unexpected(names.error());
    std::vector<JailId> jails;
    for (const auto& name : *names) {
        if (const auto jail = parse_container_name(instance, name)) jails.push_back(*jail);
    }
    return jails;
}

}  // namespace

Result<std::vector<ObservedLink>> list(const InstanceId& instance, Scope scope) {
    auto host = nl::Socket::open();
    if (!host) return std::unexpected(host.error());
    const auto ends = host_ends(*host, instance, scope);
    if (!ends) return std::unexpected(ends.error());
    const auto jails = with_namespace(instance, scope);
    if (!jails) return std::unexpected(jails.error());
    Links links;
    for (const auto& [id, end] : *ends) {
        links[id] = {.id = id,
                     .host_end = true,
                     .name = {},
                     .up = end.interface.up,
                     .bridge = end.bridge,
                     .addresses = {},
                     .gateways = {},
                     .isolated = end.interface.port.isolated,
                     .host_bridge = end.host_bridge};
    }
    const auto visited = visit(instance, *jails, [&](JailId jail, nl::Socket& inside) {
        return observe_inside(inside, instance, jail, *ends, links);
    });
    if (!visited) return std::unexpected(visited.error());
    std::vector<ObservedLink> listed;
    for (auto& [id, link] : links) {
        link.up = link.up && link.host_end && link.jail_end;
        listed.push_back(std::move(link));
    }
    return listed;
}

Result<void> ensure(const InstanceId& instance, const LinkParameters& parameters) {
    auto host = nl::Socket::open();
    if (!host) return std::unexpected(host.error());
    const auto own = netns::current();
    if (!own) return std::unexpected(own.error());
    const auto bridge = find_bridge(*host, instance, parameters);
    if (!bridge) return std::unexpected(bridge.error());
    const auto visited = visit(instance, parameters.id.jail, [&](nl::Socket& inside) {
        return Pair(instance, parameters.id, parameters.name, *host, inside).ensure(parameters, *bridge, own->get());
    });
    if (!visited) return std::unexpected(visited.error());
    if (*visited) return {};
    return std::unexpected(
        Error{.code = Errc::not_found,
              .op = "links",
              .detail = fmt::format("{} does not exist", netns::path(container_name(instance, parameters.id.jail))),
              .reason = "jail_not_found"});
}

Result<void> destroy(const InstanceId& instance, LinkId id) {
    auto host = nl::Socket::open();
    if (!host) return std::unexpected(host.error());
    const auto visited = visit(instance, id.jail, [&](nl::Socket& inside) {
        return Pair(instance, id, jail_interface(id.index), *host, inside).destroy();
    });
    if (!visited) return std::unexpected(visited.error());
    if (*visited) return {};
    // No namespace: a host end that is still there waits for the kernel to clear away the one that it had.
    const auto outside = rtnl::find(*host, pair_name(instance, id, PairEnd::host));
    if (!outside) return std::unexpected(outside.error());
    if (!*outside || (*outside)->alias != jail_mark(instance, id.jail)) return {};
    return rtnl::remove(*host, **outside);
}

}  // namespace jaild::kernel::pair
