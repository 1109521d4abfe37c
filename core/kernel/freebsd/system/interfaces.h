#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/links.h"

/// Interfaces of the calling process's network stack, by ioctl(2) as netintro(4) and ifmib(4) tell. Blocking, any
/// thread. What vanished meanwhile is Errc::not_found.
namespace jaild::kernel::freebsd {

struct Interface {
    std::string name;
    int index = 0;
    bool up = false;  ///< IFF_UP
    unsigned mtu = 0;
    bool bridge = false;         ///< if_bridge(4)
    std::uint64_t bytes_in = 0;  ///< that it received since it was made
    std::uint64_t packets_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t packets_out = 0;
    std::string mac;                ///< "02:…", empty without one
    std::vector<Prefix> addresses;  ///< sorted, without link-local ones of IPv6
};

/// All, with their addresses: one getifaddrs(3).
Result<std::vector<Interface>> interfaces();
const Interface* named(const std::vector<Interface>& all, const std::string& name);

/// Driver and unit, whatever the interface is called: "epair20001". ifmib(4) IFDATA_DRIVERNAME. Empty when it is gone.
std::string driver(const Interface& interface);
/// Empty when it has none or is gone.
std::string description(const std::string& name);

/// Clones `driver`, with or without a unit; answers what the kernel called it ("epair20001" makes "epair20001a", and
/// b).
Result<std::string> create(const std::string& driver);
/// Gone already: success. With one end of a pair goes the other.
Result<void> destroy(const std::string& name);
Result<void> rename(const std::string& name, const std::string& new_name);
Result<void> describe(const std::string& name, const std::string& text);
Result<void> set_mac(const std::string& name, const std::string& mac);
Result<void> set_mtu(const std::string& name, unsigned mtu);
Result<void> raise(const std::string& name);
/// Takes the interface out of a jail's network stack: SIOCSIFRVNET.
Result<void> reclaim(const std::string& name, int jid);

/// IPv6 on an interface, on: without taking addresses from router advertisements, and without duplicate address
/// detection, for the addresses are ours to give and a jail must not wait for it (of an address alone, 14.0 does not
/// take that: nd6_nbr.c). With `learns` it takes both, and a default route when that is said. A new interface has IPv6
/// off, unless the host says otherwise (nd6(4) IFDISABLED). Errc::unsupported "ipv6_unavailable" when it is wanted and
/// the kernel has none.
enum class Ipv6 { off, on };
Result<void> set_ipv6(const std::string& name, Ipv6 state, Learns learns = Learns::nothing);
/// It takes addresses from router advertisements.
Result<bool> takes_advertisements(const std::string& name);

}  // namespace jaild::kernel::freebsd
