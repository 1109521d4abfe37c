#include "core/kernel/freebsd/system/advertised_routers.h"

#include <sys/types.h>
// after <sys/types.h>
#include <sys/sysctl.h>

#include <cerrno>

#include "core/kernel/freebsd/system/sysctl.h"

namespace jaild::kernel::freebsd {

Result<bool> forwarding_loses_router() {
    const auto even_then = sysctl::number("net.inet6.ip6.rfc6204w3");
    if (!even_then) return std::unexpected(even_then.error());
    if (even_then->value_or(0) != 0) return false;
    // What ndp(8) -r lists; only whether there is one counts here.
    constexpr const char* kRouters = "net.inet6.icmp6.nd6_drlist";
    std::size_t size = 0;
    if (::sysctlbyname(kRouters, nullptr, &size, nullptr, 0) == 0) return size > 0;
    if (errno == ENOENT) return false;  // a kernel without IPv6
    return std::unexpected(Error::from_errno("sysctl", errno, kRouters));
}

}  // namespace jaild::kernel::freebsd
