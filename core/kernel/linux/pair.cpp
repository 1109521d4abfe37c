#include "core/kernel/linux/pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/kernel/linux/bridge.h"
#include "core/kernel/linux/configure.h"
#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/names.h"

namespace jaild::kernel::pair {
namespace {

using rtnl::Change;
using rtnl::Interface;

/// The pieces of one jail's pair that exist, and where.
struct Pieces {
    std::optional<Interface> outside;  ///< host end on the host, ours
    std::optional<Interface> foreign;  ///< has the host end's name on the host, not our mark
    std::vector<Interface> inside;     ///< all in the jail's namespace that have a name of the pair's

    [[nodiscard]] const Interface* named(const std::string& name) const {
        const auto found = std::ranges::find(inside, name, &Interface::name);
        return found == inside.end() ? nullptr : &*found;
    }
};

/// One jail's pair. Made on a thread inside the jail's namespace; `host` was opened outside.
class Pair {
public:
    Pair(const InstanceId& instance, JailId jail, nl::Socket& host, nl::Socket& inside)
        : instance_(instance),
          jail_(jail),
          host_(host),
          inside_(inside),
          host_name_(pair_name(instance, jail, PairEnd::host)),
          first_name_(pair_name(instance, jail, PairEnd::jail)),
          mark_(jail_mark(instance, jail)) {}

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
    Result<void> configure_host_end(const Interface& end, const Interface& bridge, unsigned mtu);
    Result<void> configure_jail_end(Interface end, const LinkParameters& parameters);
    Result<void> raise_loopback();

    const InstanceId& instance_;
    JailId jail_;
    nl::Socket& host_;
    nl::Socket& inside_;
    std::string host_name_;
    std::string first_name_;  ///< of the jail's end until it is vnet0
    std::string mark_;
};

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
    std::erase_if(*all, [this](const Interface& interface) {
        return interface.name != host_name_ && interface.name != first_name_ && interface.name != kJailInterface;
    });
    pieces.inside = std::move(*all);
    return pieces;
}

const Interface* Pair::jail_end(const Pieces& pieces) const {
    const auto* renamed = pieces.named(kJailInterface);
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
    return host->kind == "veth" && jail->kind == "veth" && host->peer == jail->index && jail->peer == host->index;
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
        rtnl::add_veth(inside_, {.name = host_name_, .mac = mac_address(instance_, jail_, PairEnd::host), .mtu = mtu},
                       {.name = first_name_, .mac = mac_address(instance_, jail_, PairEnd::jail), .mtu = mtu});
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

Result<void> Pair::configure_host_end(const Interface& end, const Interface& bridge, unsigned mtu) {
    Change change;
    if (const auto mac = mac_address(instance_, jail_, PairEnd::host); end.mac != mac) change.mac = mac;
    if (end.mtu != mtu) change.mtu = mtu;
    if (end.master != bridge.index) change.master = bridge.index;
    if (!end.up) change.up = true;
    return rtnl::change(host_, end, change);
}

Result<void> Pair::configure_jail_end(Interface end, const LinkParameters& parameters) {
    if (end.name != kJailInterface) {
        if (auto done = rtnl::change(inside_, end, Change{.name = kJailInterface, .up = false}); !done) return done;
        end.name = kJailInterface;
        end.up = false;
    }
    if (auto done = rtnl::prepare_ipv6(end.name, parameters.addresses); !done) return done;
    Change change;
    if (const auto mac = mac_address(instance_, jail_, PairEnd::jail); end.mac != mac) change.mac = mac;
    if (end.mtu != parameters.mtu) change.mtu = parameters.mtu;
    if (!end.up) change.up = true;
    if (auto done = rtnl::change(inside_, end, change); !done) return done;
    if (auto done = rtnl::set_addresses(inside_, end.index, parameters.addresses); !done) return done;
    return rtnl::set_gateways(inside_, end.index, parameters.gateways);
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
    if (auto done = configure_host_end(*outside, bridge, parameters.mtu); !done) return done;
    if (auto done = raise_loopback(); !done) return done;
    return configure_jail_end(*jail_end(*pieces), parameters);
}

Result<void> Pair::destroy() {
    const auto pieces = find();
    if (!pieces) return std::unexpected(pieces.error());
    return remove(*pieces);
}

Result<Interface> find_bridge(nl::Socket& host, const InstanceId& instance, NetworkId network) {
    auto found = rtnl::find(host, bridge_name(instance, network));
    if (!found) return std::unexpected(found.error());
    if (*found && bridge::is_ours(instance, network, **found)) return std::move(**found);
    return std::unexpected(
        Error{.code = Errc::not_found,
              .op = "links",
              .detail = fmt::format("network {} has no bridge {}", network.value, bridge_name(instance, network)),
              .reason = "network_not_found"});
}

/// Runs `work` inside the jail's namespace with a socket there; false when the jail has none.
Result<bool> visit(const InstanceId& instance, JailId jail, const std::function<Result<void>(nl::Socket&)>& work) {
    const auto netns = netns::open(container_name(instance, jail));
    if (!netns) return std::unexpected(netns.error());
    if (!*netns) return false;
    auto done = netns::run_in((*netns)->get(), [&work]() -> Result<void> {
        auto inside = nl::Socket::open();
        if (!inside) return std::unexpected(inside.error());
        return work(*inside);
    });
    if (!done) return std::unexpected(done.error());
    return true;
}

/// Adds what a jail's namespace says of its end; `some` when anything of a pair is there.
Result<void> observe_inside(nl::Socket& inside, const InstanceId& instance, ObservedLink& link, bool& some) {
    const auto all = rtnl::interfaces(inside);
    if (!all) return std::unexpected(all.error());
    const auto has = [&all](const std::string& name) { return std::ranges::find(*all, name, &Interface::name); };
    const auto end = has(kJailInterface);
    some = end != all->end() || has(pair_name(instance, link.jail, PairEnd::host)) != all->end();
    if (end == all->end()) return {};
    auto addresses = rtnl::addresses_of(inside, end->index);
    if (!addresses) return std::unexpected(addresses.error());
    auto gateways = rtnl::gateways_of(inside, end->index);
    if (!gateways) return std::unexpected(gateways.error());
    link.jail_end = true;
    link.up = link.up && end->up;
    link.mtu = end->mtu;
    link.addresses = std::move(*addresses);
    link.gateways = std::move(*gateways);
    return {};
}

/// Host ends of ours with the bridges that they are on.
using HostEnds = std::map<JailId, ObservedLink>;

void add_host_end(HostEnds& ends, const InstanceId& instance, const Interface& end, const Interface* master) {
    const auto jail = parse_pair_name(instance, end.name);
    if (!jail || end.alias != jail_mark(instance, *jail)) return;
    auto& link = ends[*jail];
    link.jail = *jail;
    link.host_end = true;
    link.up = end.up;
    if (master == nullptr) return;
    const auto network = parse_bridge_name(instance, master->name);
    if (network && bridge::is_ours(instance, *network, *master)) link.bridge = *network;
}

/// One question to the kernel for one jail, one dump for all.
Result<HostEnds> host_ends(nl::Socket& host, const InstanceId& instance, Scope scope) {
    HostEnds ends;
    if (scope) {
        const auto end = rtnl::find(host, pair_name(instance, *scope, PairEnd::host));
        if (!end) return std::unexpected(end.error());
        if (!*end) return ends;
        std::optional<Interface> master;
        if ((*end)->master != 0) {
            auto found = rtnl::find(host, (*end)->master);
            if (!found) return std::unexpected(found.error());
            master = std::move(*found);
        }
        add_host_end(ends, instance, **end, master ? &*master : nullptr);
        return ends;
    }
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
    auto ends = host_ends(*host, instance, scope);
    if (!ends) return std::unexpected(ends.error());
    const auto jails = with_namespace(instance, scope);
    if (!jails) return std::unexpected(jails.error());
    for (const auto jail : *jails) {
        const auto known = ends->find(jail);
        ObservedLink link;
        if (known != ends->end()) link = known->second;
        link.jail = jail;
        bool some = link.host_end;
        const auto visited = visit(instance, jail, [&](nl::Socket& inside) {
            bool inner = false;
            auto done = observe_inside(inside, instance, link, inner);
            some = some || inner;
            return done;
        });
        if (!visited) return std::unexpected(visited.error());
        if (some) (*ends)[jail] = std::move(link);
    }
    std::vector<ObservedLink> links;
    for (auto& [jail, link] : *ends) {
        link.up = link.up && link.host_end && link.jail_end;
        links.push_back(std::move(link));
    }
    return links;
}

Result<void> ensure(const InstanceId& instance, const LinkParameters& parameters) {
    auto host = nl::Socket::open();
    if (!host) return std::unexpected(host.error());
    const auto own = netns::current();
    if (!own) return std::unexpected(own.error());
    const auto bridge = find_bridge(*host, instance, parameters.network);
    if (!bridge) return std::unexpected(bridge.error());
    const auto visited = visit(instance, parameters.jail, [&](nl::Socket& inside) {
        return Pair(instance, parameters.jail, *host, inside).ensure(parameters, *bridge, own->get());
    });
    if (!visited) return std::unexpected(visited.error());
    if (*visited) return {};
    return std::unexpected(
        Error{.code = Errc::not_found,
              .op = "links",
              .detail = fmt::format("{} does not exist", netns::path(container_name(instance, parameters.jail))),
              .reason = "jail_not_found"});
}

Result<void> destroy(const InstanceId& instance, JailId jail) {
    auto host = nl::Socket::open();
    if (!host) return std::unexpected(host.error());
    const auto visited =
        visit(instance, jail, [&](nl::Socket& inside) { return Pair(instance, jail, *host, inside).destroy(); });
    if (!visited) return std::unexpected(visited.error());
    if (*visited) return {};
    // No namespace: a host end that is still there waits for the kernel to clear away the one that it had.
    const auto outside = rtnl::find(*host, pair_name(instance, jail, PairEnd::host));
    if (!outside) return std::unexpected(outside.error());
    if (!*outside || (*outside)->alias != jail_mark(instance, jail)) return {};
    return rtnl::remove(*host, **outside);
}

}  // namespace jaild::kernel::pair
