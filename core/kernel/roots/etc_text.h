#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/roots.h"

/// The text of what is generated in a jail's /etc on every system. Pure.
namespace jaild::kernel::etc {

/// resolv.conf(5)
std::string resolv_conf(const std::vector<IpAddress>& nameservers, const std::vector<std::string>& search);

/// Where the network stack is the host's: the host's own text, in which nameservers and search domains of the spec's,
/// if there are any, stand in place of the host's.
std::string shared_resolv_conf(const std::string& host, const std::vector<IpAddress>& nameservers,
                               const std::vector<std::string>& search);

/// The nameservers of a resolv.conf(5) that a network stack of its own can reach: loopback ones are the host's alone.
std::vector<IpAddress> reachable_nameservers(const std::string& resolv_conf);

/// Nothing in `parameters` could break out of its line. The model refuses such values; this is where they would hurt.
Result<void> check(const RootParameters& parameters);

}  // namespace jaild::kernel::etc
