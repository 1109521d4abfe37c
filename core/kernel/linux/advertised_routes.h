#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

/// Default routes of IPv6 that the kernel took from router advertisements. Blocking, any thread: in its network
/// namespace.
namespace jaild::kernel {

/// Interfaces, sorted, whose default route is lost as soon as IPv6 forwarding is switched on: with accept_ra=1 the
/// kernel removes it then and takes no other (ip-sysctl, accept_ra); 2 means: forwarding or not.
Result<std::vector<std::string>> routes_lost_by_forwarding();

/// "sysctl -w …" that keeps them.
std::string keep_routes_remedy(const std::vector<std::string>& interfaces);

}  // namespace jaild::kernel
