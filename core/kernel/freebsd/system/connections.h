#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

namespace jaild::kernel::freebsd {

/// Ends the TCP connections of this network stack that have one of these as their own address, as tcpdrop(8) does: the
/// other side gets a reset as long as there is a way to it. What listens stays. Blocking; needs PRIV_NETINET_TCP of the
/// stack, which root of a vnet jail has.
Result<void> drop_connections(const std::vector<Prefix>& addresses);

}  // namespace jaild::kernel::freebsd
