#include "core/kernel/linux/advertised_routes.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <set>

#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/routes.h"
#include "core/kernel/linux/sysctl.h"

namespace jaild::kernel {

Result<std::vector<std::string>> routes_lost_by_forwarding() {
    auto socket = nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const auto routes = rtnl::routes(*socket);
    if (!routes) return std::unexpected(routes.error());
    std::set<std::string> names;
    for (const auto& route : *routes) {
        if (route.protocol != RTPROT_RA || route.destination.length != 0) continue;
        const auto interface = rtnl::find(*socket, route.index);
        if (!interface) return std::unexpected(interface.error());
        if (!*interface) continue;  // it went away with its routes
        const auto accepts = sysctl::read(fmt::format("net/ipv6/conf/{}/accept_ra", (*interface)->name));
        if (!accepts && accepts.error().code != Errc::not_found) return std::unexpected(accepts.error());
        if (accepts && *accepts == "1") names.insert((*interface)->name);
    }
    return std::vector<std::string>(names.begin(), names.end());
}

std::string keep_routes_remedy(const std::vector<std::string>& interfaces) {
    // As a path: the name of an interface may hold a dot.
    std::string remedy = "sysctl -w";
    for (const auto& name : interfaces) remedy += fmt::format(" net/ipv6/conf/{}/accept_ra=2", name);
    return remedy;
}

}  // namespace jaild::kernel
