#include "core/kernel/linux/links.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "core/kernel/linux/advertised_routes.h"
#include "core/kernel/linux/bridge.h"
#include "core/kernel/linux/configure.h"
#include "core/kernel/linux/dhcp_clients.h"
#include "core/kernel/linux/host_interface.h"
#include "core/kernel/linux/netns.h"
#include "core/kernel/linux/pair.h"
#include "core/kernel/linux/routes.h"
#include "core/kernel/linux/sysctl.h"
#include "core/kernel/linux/vlan.h"
#include "core/kernel/names.h"
#include "core/kernel/network_fields.h"

namespace jaild::kernel {
namespace {

const char* forwarding_value(Family family) {
    return family == Family::ipv4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
}

/// A destination that somebody means: not a default, and not what the kernel keeps by itself beside each address.
bool takes_space(const rtnl::Route& route) {
    const bool chosen = route.type == RTN_UNICAST || route.type == RTN_BLACKHOLE || route.type == RTN_UNREACHABLE ||
                        route.type == RTN_PROHIBIT || route.type == RTN_THROW;
    return chosen && route.destination.length != 0;
}

bool is_local_matter(const IpAddress& address) {
    return rtnl::is_link_local(address) || rtnl::is_multicast(address);
}

/// Errc::unsupported when IPv6 forwarding would take the host's own default route away.
Result<void> check_own_routes() {
    const auto lost = routes_lost_by_forwarding();
    if (!lost) return std::unexpected(lost.error());
    if (lost->empty()) return {};
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "enable_forwarding",
              .detail = "with IPv6 forwarding on, this host would lose the default route that it has by router "
                        "advertisement on " +
                        lost->front(),
              .reason = "forwarding_unsafe",
              .remedy = keep_routes_remedy(*lost)});
}

}  // namespace

Result<std::vector<ObservedLink>> LinuxLinks::list(Scope scope) {
    auto listed = pair::list(options_.instance, scope);
    if (!listed) return listed;
    const auto clients = dhcp::list(layout_, scope);
    if (!clients) return std::unexpected(clients.error());
    for (const auto& [id, lives] : *clients) {
        auto link = std::ranges::find(*listed, id, &ObservedLink::id);
        if (link == listed->end()) link = listed->insert(link, {.id = id});
        link->client = lives;
    }
    std::ranges::sort(*listed, {}, &ObservedLink::id);
    return listed;
}

Result<void> LinuxLinks::ensure(const LinkParameters& parameters) {
    if (parameters.dhcp == Learns::nothing) {  // first: an end of a client takes the address away
        if (auto stopped = dhcp::stop(layout_, parameters.id); !stopped) return stopped;
        return pair::ensure(options_.instance, parameters);
    }
    if (auto done = pair::ensure(options_.instance, parameters); !done) return done;
    const auto netns = netns::open(layout_.container(parameters.id.jail));
    if (!netns) return std::unexpected(netns.error());
    if (!*netns)
        return std::unexpected(
            Error{.code = Errc::not_found, .op = "links", .detail = "the jail is gone", .reason = "jail_not_found"});
    return netns::run_in((*netns)->get(),
                         [&] { return dhcp::ensure(layout_, parameters); });
}

Result<void> LinuxLinks::destroy(LinkId id) {
    // While it can still tell the server.
    if (auto stopped = dhcp::stop(layout_, id); !stopped) return stopped;
    return pair::destroy(options_.instance, id);
}

Result<std::vector<ObservedAlias>> LinuxLinks::aliases(JailId) {
    return std::vector<ObservedAlias>{};
}

Result<void> LinuxLinks::ensure_alias(JailId, const Alias& alias) {
    return check_alias(alias, {});
}

Result<void> LinuxLinks::remove_alias(JailId, const Alias&) {
    return {};
}

Result<void> LinuxLinks::check_alias(const Alias&, const std::vector<JailId>&) {
    return std::unexpected(
        Error{.code = Errc::unsupported,
              .op = "validate",
              .detail = "Linux cannot hold a jail in the host's network stack to addresses of its own",
              .reason = "unsupported_network_mode",
              .remedy = "use \"vnet\" and publish its ports on that address, or \"inherit\""});
}

Result<std::vector<ObservedBridge>> LinuxLinks::bridges() {
    return bridge::list(options_.instance);
}

Result<void> LinuxLinks::ensure_bridge(const model::Network& network) {
    return bridge::ensure(options_.instance, network);
}

Result<void> LinuxLinks::remove_bridge(NetworkId network) {
    return bridge::remove(options_.instance, network);
}

Result<void> LinuxLinks::check(const model::Network& network) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    if (auto possible = network.vlan == 0 ? Result<void>{} : vlan::check(); !possible) return possible;
    const auto own = own_bridge_name(options_.instance, network);
    return check_network(
        network, own, [&](const std::string& name) { return rtnl::host_interface(*socket, options_.instance, name); });
}

Result<std::vector<Prefix>> LinuxLinks::addresses(const std::string& interface) {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto found = rtnl::find(*socket, interface);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::vector<Prefix>{};
    return rtnl::addresses_of(*socket, (*found)->index);
}

Result<void> LinuxLinks::check(const model::NetworkSpec& spec) {
    for (std::size_t index = 0; index < spec.interfaces.size(); ++index) {
        if (!spec.interfaces[index].dhcp) continue;
        auto client = dhcp::program();
        if (client) return {};
        client.error().field = fmt::format("/network/interfaces/{}/ipv4", index);
        return std::unexpected(std::move(client.error()));
    }
    return {};
}

Result<std::vector<Prefix>> LinuxLinks::used_prefixes() {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto addresses = rtnl::addresses(*socket);
    if (!addresses) return std::unexpected(addresses.error());
    const auto routes = rtnl::routes(*socket);
    if (!routes) return std::unexpected(routes.error());

    std::set<Prefix> used;
    for (const auto& address : *addresses) {
        if (!is_local_matter(address.prefix.address)) used.insert(address.prefix.network());
    }
    for (const auto& route : *routes) {
        if (takes_space(route) && !is_local_matter(route.destination.address)) used.insert(route.destination.network());
    }
    return std::vector<Prefix>(used.begin(), used.end());
}

Result<bool> LinuxLinks::forwarding(Family family) {
    const auto value = sysctl::read(forwarding_value(family));
    if (!value && value.error().code == Errc::not_found) return false;  // a kernel without IPv6
    if (!value) return std::unexpected(value.error());
    return *value != "0";
}

Result<void> LinuxLinks::enable_forwarding(Family family) {
    const auto on = forwarding(family);
    if (!on) return std::unexpected(on.error());
    if (*on) return {};
    if (family == Family::ipv6)
        if (auto safe = check_own_routes(); !safe) return safe;
    return sysctl::set(forwarding_value(family), "1");
}

}  // namespace jaild::kernel
