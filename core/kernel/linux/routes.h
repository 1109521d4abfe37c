#pragma once

#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/linux/nl.h"

/// Addresses and routes by rtnetlink(7), in the namespace of the socket. Blocking.
namespace jaild::kernel::rtnl {

struct Address {
    int index = 0;           ///< of its interface
    Prefix prefix;           ///< host bits kept
    bool tentative = false;  ///< not yet known to be nobody else's
};

/// Both families.
Result<std::vector<Address>> addresses(nl::Socket& socket);
/// Without duplicate address detection: the addresses are ours to give, and a jail must not wait for it.
Result<void> add_address(nl::Socket& socket, const Address& address);
Result<void> remove_address(nl::Socket& socket, const Address& address);

struct Route {
    Prefix destination;
    std::optional<IpAddress> gateway{};
    int index = 0;       ///< of its interface
    unsigned table = 0;  ///< RT_TABLE_MAIN …
    unsigned metric = 0;
    unsigned char type = 0;      ///< RTN_UNICAST …
    unsigned char protocol = 0;  ///< RTPROT_RA …
};

/// Both families, all tables; without the kernel's cached clones.
Result<std::vector<Route>> routes(nl::Socket& socket);
/// In the main table, by a gateway on the interface; one that differs is replaced.
Result<void> add_default_route(nl::Socket& socket, const IpAddress& gateway, int index);
Result<void> remove_route(nl::Socket& socket, const Route& route);

/// fe80::/10
bool is_link_local(const IpAddress& address);
/// 224.0.0.0/4, ff00::/8
bool is_multicast(const IpAddress& address);

}  // namespace jaild::kernel::rtnl
