#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/linux/interfaces.h"

/// What bridges and the insides of jails have in common. Blocking, idempotent.
namespace jaild::kernel::rtnl {

/// Somebody else's interface has a name of ours: Errc::conflict.
Error name_in_use(const Interface& interface);

/// Takes no addresses from router advertisements, in the calling thread's namespace; call it before the interface is
/// raised. Errc::unsupported "ipv6_unavailable" when `wanted` has IPv6 addresses and this kernel cannot.
Result<void> prepare_ipv6(const std::string& interface, const std::vector<Prefix>& wanted);

/// The interface's own, sorted, without link-local ones.
Result<std::vector<Prefix>> addresses_of(nl::Socket& socket, int index);
/// Makes them exactly these; link-local ones stay.
Result<void> set_addresses(nl::Socket& socket, int index, const std::vector<Prefix>& wanted);

/// Gateways of the default routes through the interface, sorted.
Result<std::vector<IpAddress>> gateways_of(nl::Socket& socket, int index);
Result<void> set_gateways(nl::Socket& socket, int index, const std::vector<IpAddress>& wanted);

}  // namespace jaild::kernel::rtnl
