#include "core/kernel/freebsd/system/addresses.h"

#include <sys/types.h>
// after <sys/types.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/in_var.h>
#include <netinet6/in6_var.h>
#include <sys/socket.h>
#include <sys/sockio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/kernel/freebsd/pure/socket_addresses.h"
#include "core/kernel/freebsd/system/neighbour_discovery.h"
#include "core/kernel/freebsd/system/request.h"

namespace jaild::kernel::freebsd {
namespace {

template <class Socket>
void put(Socket& field, const IpAddress& address) {
    const auto bytes = socket_address(address);
    static_assert(sizeof(Socket) == sizeof(sockaddr_in) || sizeof(Socket) == sizeof(sockaddr_in6));
    std::memcpy(&field, bytes.data(), std::min(sizeof field, bytes.size()));
}

Result<void> add_ipv4(const std::string& name, const Prefix& prefix) {
    in_aliasreq asked{};
    if (auto done = put_name(asked.ifra_name, name); !done) return done;
    put(asked.ifra_addr, prefix.address);
    put(asked.ifra_mask, netmask(Family::ipv4, prefix.length));
    put(asked.ifra_broadaddr, broadcast(prefix));
    return request(AF_INET, "SIOCAIFADDR", SIOCAIFADDR, &asked, name + " " + prefix.to_string());
}

Result<void> add_ipv6(const std::string& name, const Prefix& prefix) {
    in6_aliasreq asked{};
    if (auto done = put_name(asked.ifra_name, name); !done) return done;
    put(asked.ifra_addr, prefix.address);
    put(asked.ifra_prefixmask, netmask(Family::ipv6, prefix.length));
    asked.ifra_lifetime.ia6t_vltime = ND6_INFINITE_LIFETIME;
    asked.ifra_lifetime.ia6t_pltime = ND6_INFINITE_LIFETIME;
    return request(AF_INET6, "SIOCAIFADDR_IN6", SIOCAIFADDR_IN6, &asked, name + " " + prefix.to_string());
}

Result<void> remove_ipv4(const std::string& name, const IpAddress& address) {
    ifreq asked{};
    if (auto done = put_name(asked.ifr_name, name); !done) return done;
    const auto bytes = socket_address(address);
    static_assert(sizeof asked.ifr_addr == sizeof(sockaddr_in));
    std::memcpy(&asked.ifr_addr, bytes.data(), bytes.size());
    return request(AF_INET, "SIOCDIFADDR", SIOCDIFADDR, &asked, name + " " + address.to_string());
}

Result<void> remove_ipv6(const std::string& name, const IpAddress& address) {
    in6_ifreq asked{};
    if (auto done = put_name(asked.ifr_name, name); !done) return done;
    put(asked.ifr_ifru.ifru_addr, address);
    return request(AF_INET6, "SIOCDIFADDR_IN6", SIOCDIFADDR_IN6, &asked, name + " " + address.to_string());
}

bool holds(const std::vector<Prefix>& list, const Prefix& prefix) {
    return std::ranges::find(list, prefix) != list.end();
}

}  // namespace

Result<void> add_address(const std::string& interface, const Prefix& prefix) {
    return prefix.address.family == Family::ipv4 ? add_ipv4(interface, prefix) : add_ipv6(interface, prefix);
}

Result<void> remove_address(const std::string& interface, const IpAddress& address) {
    auto removed = address.family == Family::ipv4 ? remove_ipv4(interface, address) : remove_ipv6(interface, address);
    // Somebody was faster: that it is gone is all that is wanted.
    if (!removed && removed.error().sys == EADDRNOTAVAIL) return {};
    return removed;
}

Result<Readiness> readiness(const std::string& interface, const IpAddress& address) {
    in6_ifreq asked{};
    if (auto done = put_name(asked.ifr_name, interface); !done) return std::unexpected(done.error());
    put(asked.ifr_ifru.ifru_addr, address);
    const auto done = request(AF_INET6, "SIOCGIFAFLAG_IN6", SIOCGIFAFLAG_IN6, &asked, interface);
    if (!done) return std::unexpected(done.error());
    const auto flags = asked.ifr_ifru.ifru_flags6;
    if ((flags & IN6_IFF_DUPLICATED) != 0) return Readiness::duplicated;
    return (flags & IN6_IFF_TENTATIVE) != 0 ? Readiness::tentative : Readiness::ready;
}

Result<void> set_addresses(const Interface& interface, const std::vector<Prefix>& wanted,
                           const std::vector<Family>& families) {
    for (const auto& prefix : interface.addresses) {
        if (holds(wanted, prefix) || std::ranges::find(families, prefix.address.family) == families.end()) continue;
        if (auto removed = remove_address(interface.name, prefix.address); !removed) return removed;
    }
    for (const auto& prefix : wanted) {
        if (holds(interface.addresses, prefix)) continue;
        if (auto added = add_address(interface.name, prefix); !added) return added;
    }
    return {};
}

}  // namespace jaild::kernel::freebsd
