#include "core/kernel/linux/configure.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "core/kernel/linux/routes.h"
#include "core/kernel/linux/sysctl.h"

namespace jaild::kernel::rtnl {
namespace {

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
    return std::ranges::find(values, value) != values.end();
}

std::string ipv6_setting(const std::string& interface, const char* value) {
    return fmt::format("net/ipv6/conf/{}/{}", interface, value);
}

Result<std::vector<Route>> default_routes(nl::Socket& socket, int index) {
    auto all = routes(socket);
    if (!all) return std::unexpected(all.error());
    std::erase_if(*all, [index](const Route& route) {
        return route.destination.length != 0 || route.index != index || route.table != RT_TABLE_MAIN ||
               route.type != RTN_UNICAST;
    });
    return all;
}

}  // namespace

Error name_in_use(const Interface& interface) {
    return Error{.code = Errc::conflict,
                 .op = "links",
                 .detail = fmt::format("the interface {} exists and is not jaild's: its alias is \"{}\"",
                                       interface.name, interface.alias),
                 .reason = "name_in_use",
                 .remedy = fmt::format("rename or delete it: ip link delete {}", interface.name)};
}

Result<void> prepare_ipv6(const std::string& interface, const std::vector<Prefix>& wanted, Learns slaac) {
    const auto name = [&interface](const char* value) { return ipv6_setting(interface, value); };
    const bool wants_ipv6 = slaac != Learns::nothing || std::ranges::any_of(wanted, [](const Prefix& prefix) {
                                return prefix.address.family == Family::ipv6;
                            });
    const auto present = sysctl::read(name("accept_ra"));
    if (!present && present.error().code == Errc::not_found) {
        if (!wants_ipv6) return {};
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "links",
                                     .detail = fmt::format("{} cannot have an IPv6 address on this kernel", interface),
                                     .reason = "ipv6_unavailable",
                                     .remedy = "boot without ipv6.disable=1, or load the module: modprobe ipv6"});
    }
    // 2: also where the jail forwards. Addresses are made of the MAC address, which stays: the same after each start.
    const bool takes = slaac != Learns::nothing;
    using Setting = std::pair<const char*, const char*>;
    std::vector<Setting> settings{{"accept_ra", takes ? "2" : "0"}, {"autoconf", takes ? "1" : "0"}};
    if (takes) {
        settings.insert(settings.end(),
                        {Setting{"accept_ra_defrtr", slaac == Learns::addresses ? "0" : "1"},
                         Setting{"accept_ra_pinfo", "1"}, Setting{"use_tempaddr", "0"}, Setting{"addr_gen_mode", "0"}});
    }
    for (const auto& [setting, value] : settings) {
        if (auto done = sysctl::set(name(setting), value); !done) return done;
    }
    if (!wants_ipv6) return {};
    return sysctl::set(name("disable_ipv6"), "0");
}

Result<bool> takes_advertisements(const std::string& interface) {
    const auto value = sysctl::read(ipv6_setting(interface, "accept_ra"));
    if (!value && value.error().code == Errc::not_found) return false;
    if (!value) return std::unexpected(value.error());
    return *value != "0";
}

Result<std::vector<Prefix>> addresses_of(nl::Socket& socket, int index) {
    const auto all = addresses(socket);
    if (!all) return std::unexpected(all.error());
    std::vector<Prefix> own;
    for (const auto& address : *all) {
        const bool held = address.index == index && !address.tentative;
        if (held && !is_link_local(address.prefix.address)) own.push_back(address.prefix);
    }
    std::ranges::sort(own);
    return own;
}

Result<void> set_addresses(nl::Socket& socket, int index, const std::vector<Prefix>& wanted, const Families& families) {
    auto present = addresses_of(socket, index);
    if (!present) return std::unexpected(present.error());
    bool removed = false;
    for (const auto& prefix : *present) {
        if (contains(wanted, prefix) || !contains(families, prefix.address.family)) continue;
        if (auto done = remove_address(socket, {.index = index, .prefix = prefix}); !done) return done;
        removed = true;
    }
    // Removing a primary IPv4 address takes its secondary ones along, perhaps one that is wanted.
    if (removed) present = addresses_of(socket, index);
    if (!present) return std::unexpected(present.error());
    for (const auto& prefix : wanted) {
        if (contains(*present, prefix)) continue;
        if (auto done = add_address(socket, {.index = index, .prefix = prefix}); !done) return done;
    }
    return {};
}

Result<std::vector<IpAddress>> gateways_of(nl::Socket& socket, int index) {
    const auto defaults = default_routes(socket, index);
    if (!defaults) return std::unexpected(defaults.error());
    std::vector<IpAddress> gateways;
    for (const auto& route : *defaults) {
        if (route.gateway && !contains(gateways, *route.gateway)) gateways.push_back(*route.gateway);
    }
    std::ranges::sort(gateways);
    return gateways;
}

Result<void> set_gateways(nl::Socket& socket, int index, const std::vector<IpAddress>& wanted,
                          const Families& families) {
    const auto present = default_routes(socket, index);
    if (!present) return std::unexpected(present.error());
    std::vector<IpAddress> kept;
    for (const auto& route : *present) {
        if (!contains(families, route.destination.address.family)) continue;
        if (route.gateway && contains(wanted, *route.gateway)) {
            kept.push_back(*route.gateway);
        } else if (auto done = remove_route(socket, route); !done) {
            return done;
        }
    }
    for (const auto& gateway : wanted) {
        if (contains(kept, gateway)) continue;
        if (auto done = add_default_route(socket, gateway, index); !done) return done;
    }
    return {};
}

}  // namespace jaild::kernel::rtnl
