#pragma once

#include "core/base/error.h"

/// Default routers that the kernel took from router advertisements. Blocking, any thread.
namespace jaild::kernel::freebsd {

/// Does the host lose its default route with IPv6 forwarding? A router that forwards takes a lifetime of 0 from each
/// advertisement, and so gives up the default router that it had learned as a host; not with net.inet6.ip6.rfc6204w3
/// (inet6(4)).
Result<bool> forwarding_loses_router();

inline constexpr const char* kKeepRouterRemedy = "sysctl net.inet6.ip6.rfc6204w3=1";

}  // namespace jaild::kernel::freebsd
