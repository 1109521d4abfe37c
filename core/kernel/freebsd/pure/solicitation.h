#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// An Ethernet frame with a router solicitation (RFC 4861 §4.1) to all routers, from the interface with that MAC
/// address ("02:…") and from no IPv6 address, so that the answer goes to all nodes. Errc::invalid for another text.
/// Pure.
Result<std::string> router_solicitation(const std::string& mac);

}  // namespace jaild::kernel::freebsd
