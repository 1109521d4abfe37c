#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ip.h"

/// FreeBSD's socket addresses as bytes, as route(4) strings them together. Pure.
namespace jaild::kernel::freebsd {

/// A struct sockaddr_in or sockaddr_in6 of netinet/in.h, with its length in the first byte.
std::string socket_address(const IpAddress& address);
/// 255.255.255.0 for {ipv4, 24}.
IpAddress netmask(Family family, unsigned length);
/// The other way round; nothing for a mask with holes.
std::optional<unsigned> mask_length(const IpAddress& mask);
/// 10.0.0.255 for 10.0.0.2/24. in(4): with /31 there is none and everybody is meant; /32 is its own.
IpAddress broadcast(const Prefix& prefix);

/// What a message of route(4) holds for bit i of rtm_addrs.
struct SocketAddress {
    std::optional<IpAddress> address{};  ///< for IPv4 and IPv6; scope taken out
    std::string bytes{};                 ///< as it stood there
};
inline constexpr std::size_t kSocketAddresses = 8;  ///< RTAX_MAX
using SocketAddresses = std::array<std::optional<SocketAddress>, kSocketAddresses>;

/// route(4): each address takes its length rounded up to a long, and at least one long.
std::string join(const std::vector<std::string>& addresses);
/// nullopt when the bytes end before the addresses that `mask` promises.
std::optional<SocketAddresses> split(std::string_view bytes, int mask);
/// The netmask at RTAX_NETMASK, which may be cut short after its last byte that is not zero.
std::optional<unsigned> split_mask_length(const SocketAddresses& addresses, Family family);

}  // namespace jaild::kernel::freebsd
