#include "daemon/lease/lease.h"

#include <net/if.h>

#include <cerrno>
#include <sstream>

#include "core/kernel/linux/configure.h"

namespace jaild::lease {
namespace {

namespace rtnl = kernel::rtnl;

std::string text_of(const std::function<const char*(const char*)>& variable, const char* name) {
    const char* text = variable(name);
    return text == nullptr ? std::string() : text;
}

/// Of one host, which others can reach: not 0/8, 127/8, and nothing from 224.0.0.0 on.
bool is_host(const IpAddress& address) {
    return address.family == Family::ipv4 && address.bytes[0] != 0 && address.bytes[0] != 127 && address.bytes[0] < 224;
}

}  // namespace

Result<Lease> read_lease(const std::function<const char*(const char*)>& variable) {
    const auto mask = text_of(variable, "mask");
    const auto address = Prefix::parse(text_of(variable, "ip") + "/" + (mask.empty() ? "32" : mask));
    if (!address) return std::unexpected(address.error());
    if (!is_host(address->address) || address->length == 0)
        return std::unexpected(Error::invalid("invalid_address", {}, "no address of a host: " + address->to_string()));
    Lease lease{.address = *address};
    std::istringstream routers(text_of(variable, "router"));
    for (std::string one; !lease.router && routers >> one;) {
        const auto router = IpAddress::parse(one);
        if (router && is_host(*router) && address->contains(*router)) lease.router = *router;
    }
    return lease;
}

Result<void> apply_event(const std::string& event, const std::string& interface, bool route,
                         const std::function<const char*(const char*)>& variable) {
    const bool has = event == "bound" || event == "renew";
    if (!has && event != "deconfig") return {};
    const auto lease = has ? read_lease(variable) : Result<Lease>();
    if (!lease) return std::unexpected(lease.error());
    const auto index = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (index == 0) return std::unexpected(Error::from_errno("if_nametoindex", errno, interface));
    auto socket = kernel::nl::Socket::open();
    if (!socket) return std::unexpected(socket.error());
    const rtnl::Families families{Family::ipv4};
    std::vector<Prefix> addresses;
    std::vector<IpAddress> routers;
    if (has) addresses.push_back(lease->address);
    if (has && route && lease->router) routers.push_back(*lease->router);
    if (auto done = rtnl::set_addresses(*socket, index, addresses, families); !done) return done;
    return rtnl::set_gateways(*socket, index, routers, families);
}

}  // namespace jaild::lease
