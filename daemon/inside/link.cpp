#include "daemon/inside/link.h"

#include <algorithm>
#include <map>

#include "core/kernel/freebsd/pure/units.h"
#include "core/kernel/freebsd/system/addresses.h"
#include "core/kernel/freebsd/system/connections.h"
#include "core/kernel/freebsd/system/interfaces.h"
#include "core/kernel/freebsd/system/routes.h"

namespace jaild::inside {
namespace {

using namespace kernel::freebsd;

constexpr const char* kLoopback = "lo0";

Error vanished(const std::string& name) {
    return Error{.code = Errc::busy, .op = "jaild-inside", .detail = name + " vanished while it was set up"};
}

/// What is here of our pair of that index, by driver and unit.
Result<std::vector<Interface>> ends(unsigned index) {
    auto all = interfaces();
    if (!all) return all;
    std::erase_if(*all, [&](const Interface& one) { return driver(one) != pair_driver(index); });
    return all;
}

Result<void> discard(const std::vector<Interface>& some) {
    for (const auto& one : some) {  // with the first one goes the other: success
        if (auto gone = destroy(one.name); !gone) return gone;
    }
    return {};
}

/// Whole: the jail's end here under its name, and the host's end either taken out or here under its name.
bool is_whole(const std::vector<Interface>& found, const InsideLink& link) {
    if (named(found, link.name) == nullptr) return false;
    if (link.host_end_outside) return found.size() == 1;
    return found.size() == 2 && named(found, link.host_name) != nullptr;
}

/// The description comes before the name: what has a name of ours is marked.
Result<void> mark_and_name(const std::string& end, const std::string& mark, const std::string& name) {
    if (auto done = describe(end, mark); !done) return done;
    return rename(end, name);
}

/// The jail's root may have given another pair's end this name: that one is mended in its turn.
Result<void> free_name(const std::string& name) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* holder = named(*all, name);
    if (holder == nullptr) return {};
    const auto of = driver(*holder);
    return parse_pair_driver(of) ? rename(name, of + "b") : Result<void>{};
}

Result<void> make_pair(const InsideLink& link) {
    const auto first = create(pair_driver(link.index));
    if (!first) return std::unexpected(first.error());
    // epair(4): the kernel answers with the name of the end "a"; the other one is called the same but for its "b".
    auto second = *first;
    second.back() = 'b';
    if (auto done = mark_and_name(*first, link.mark, link.host_name); !done) return done;
    if (auto done = free_name(link.name); !done) return done;
    if (auto done = mark_and_name(second, link.mark, link.name); !done) return done;
    if (auto done = set_mac(link.host_name, link.host_mac); !done) return done;
    return set_mtu(link.host_name, link.mtu);
}

bool any_ipv6(const std::vector<Prefix>& addresses) {
    return std::ranges::any_of(addresses, [](const Prefix& one) { return one.address.family == Family::ipv6; });
}

Result<void> configure(const Interface& end, const InsideLink& link) {
    if (end.mac != link.jail_mac) {
        if (auto done = set_mac(end.name, link.jail_mac); !done) return done;
    }
    if (end.mtu != link.mtu) {
        if (auto done = set_mtu(end.name, link.mtu); !done) return done;
    }
    const auto learned = takes_advertisements(end.name);
    if (!learned) return std::unexpected(learned.error());
    if (any_ipv6(link.addresses) || link.slaac != kernel::Learns::nothing) {
        if (auto done = set_ipv6(end.name, Ipv6::on, link.slaac); !done) return done;
    }
    if (!end.up) {
        if (auto done = raise(end.name); !done) return done;
    }
    std::vector<Family> given;
    if (!link.dhcp) given.push_back(Family::ipv4);
    // What was given before it began to learn is not its own any more.
    if (link.slaac == kernel::Learns::nothing || !*learned) given.push_back(Family::ipv6);
    if (auto done = set_addresses(end, link.addresses, given); !done) return done;
    return set_default_gateways(end.index, link.gateways, given);
}

bool is_tentative(const InsideEnd& end, const Prefix& one) {
    if (one.address.family != Family::ipv6) return false;
    const auto now = readiness(end.name, one.address);
    return now && *now == Readiness::tentative;
}

}  // namespace

Result<void> raise_loopback() {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    const auto* loopback = named(*all, kLoopback);
    if (loopback == nullptr) return std::unexpected(vanished(kLoopback));
    if (!loopback->up) {
        if (auto done = raise(kLoopback); !done) return done;
    }
    const Prefix own{.address = {.family = Family::ipv4, .bytes = {127, 0, 0, 1}}, .length = 8};
    if (std::ranges::find(loopback->addresses, own) != loopback->addresses.end()) return {};
    auto wanted = loopback->addresses;
    wanted.push_back(own);
    return set_addresses(*loopback, wanted);
}

Result<void> ensure_link(const InsideLink& link) {
    if (auto done = raise_loopback(); !done) return done;
    auto found = ends(link.index);
    if (!found) return std::unexpected(found.error());
    if (!is_whole(*found, link)) {
        if (auto done = discard(*found); !done) return done;
        if (auto done = make_pair(link); !done) return done;
        found = ends(link.index);
        if (!found) return std::unexpected(found.error());
    }
    const auto* end = named(*found, link.name);
    if (end == nullptr) return std::unexpected(vanished(link.name));
    return configure(*end, link);
}

/// Connections that nobody answers any more would keep the jail dying for minutes after its end.
Result<void> destroy_link(unsigned index) {
    const auto found = ends(index);
    if (!found) return std::unexpected(found.error());
    for (const auto& end : *found)
        if (auto dropped = drop_connections(end.addresses); !dropped) return dropped;
    return discard(*found);
}

Result<InsideView> look(int jid) {
    const auto all = interfaces();
    if (!all) return std::unexpected(all.error());
    std::map<unsigned, std::vector<const Interface*>> pairs;
    for (const auto& interface : *all)
        if (const auto index = parse_pair_driver(driver(interface))) pairs[*index].push_back(&interface);
    InsideView view{.jid = jid, .links = {}};
    for (const auto& [index, found] : pairs) {
        InsideEnd end{.index = index, .ends = static_cast<unsigned>(found.size()), .name = {}};
        if (found.size() == 1) {
            auto gateways = default_gateways(found.front()->index);
            if (!gateways) return std::unexpected(gateways.error());
            const auto advertised = takes_advertisements(found.front()->name);
            if (!advertised) return std::unexpected(advertised.error());
            end.advertised = *advertised;
            end.name = found.front()->name;
            end.up = found.front()->up;
            end.mtu = found.front()->mtu;
            end.mac = found.front()->mac;
            end.addresses = found.front()->addresses;
            // One that is still being looked for on the network is not held yet (RFC 4862 §5.4).
            if (end.advertised) std::erase_if(end.addresses, [&](const Prefix& one) { return is_tentative(end, one); });
            end.gateways = *std::move(gateways);
        }
        view.links.push_back(std::move(end));
    }
    return view;
}

}  // namespace jaild::inside
