#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/links.h"
#include "core/kernel/linux/interfaces.h"

/// What bridges and the insides of jails have in common. Blocking, idempotent.
namespace jaild::kernel::rtnl {

/// Somebody else's interface has a name of ours: Errc::conflict.
Error name_in_use(const Interface& interface);

/// Takes no addresses from router advertisements, unless `slaac` says so, in the calling thread's namespace; call it
/// before the interface is raised. Errc::unsupported "ipv6_unavailable" when IPv6 is wanted and this kernel cannot.
Result<void> prepare_ipv6(const std::string& interface, const std::vector<Prefix>& wanted,
                          Learns slaac = Learns::nothing);
/// It takes them, in the calling thread's namespace.
Result<bool> takes_advertisements(const std::string& interface);

/// Those of which we say what there is: all others are left as they are.
using Families = std::vector<Family>;

/// The interface's own, sorted, without link-local ones and those that are still being looked for on the network
/// (RFC 4862 §5.4).
Result<std::vector<Prefix>> addresses_of(nl::Socket& socket, int index);
/// Makes them exactly these; link-local ones stay.
Result<void> set_addresses(nl::Socket& socket, int index, const std::vector<Prefix>& wanted,
                           const Families& families = {Family::ipv4, Family::ipv6});

/// Gateways of the default routes through the interface, sorted.
Result<std::vector<IpAddress>> gateways_of(nl::Socket& socket, int index);
Result<void> set_gateways(nl::Socket& socket, int index, const std::vector<IpAddress>& wanted,
                          const Families& families = {Family::ipv4, Family::ipv6});

}  // namespace jaild::kernel::rtnl
