#include "core/kernel/freebsd/system/routes.h"

#include <sys/types.h>
// after <sys/types.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "core/base/unique_fd.h"
#include "core/kernel/freebsd/pure/socket_addresses.h"

namespace jaild::kernel::freebsd {
namespace {

static_assert(kSocketAddresses == RTAX_MAX);

/// The whole table as route(4) messages; nothing for a family that the kernel lacks.
Result<std::string> dump(int family) {
    const std::array<int, 6> name{CTL_NET, PF_ROUTE, 0, family, NET_RT_DUMP, 0};
    for (int attempt = 0; attempt < 5; ++attempt) {
        std::size_t size = 0;
        if (::sysctl(name.data(), name.size(), nullptr, &size, nullptr, 0) != 0) {
            if (errno == EAFNOSUPPORT) return std::string();
            return std::unexpected(Error::from_errno("sysctl", errno, "NET_RT_DUMP"));
        }
        std::string messages(size + size / 4 + 4096, '\0');  // it may grow in between
        size = messages.size();
        if (::sysctl(name.data(), name.size(), messages.data(), &size, nullptr, 0) == 0) {
            messages.resize(size);
            return messages;
        }
        if (errno != ENOMEM) return std::unexpected(Error::from_errno("sysctl", errno, "NET_RT_DUMP"));
    }
    return std::unexpected(Error::from_errno("sysctl", ENOMEM, "the routing table grows faster than it is read"));
}

std::optional<Route> read_route(std::string_view message, Family family) {
    rt_msghdr header{};
    std::memcpy(&header, message.data(), sizeof header);
    const auto addresses = split(message.substr(sizeof header), header.rtm_addrs);
    if (header.rtm_version != RTM_VERSION || !addresses) return std::nullopt;
    const auto& destination = (*addresses)[RTAX_DST];
    const auto length = split_mask_length(*addresses, family);
    if (!destination || !destination->address || !length) return std::nullopt;
    Route route{.destination = {.address = *destination->address, .length = *length}, .index = header.rtm_index};
    const auto& gateway = (*addresses)[RTAX_GATEWAY];
    if ((header.rtm_flags & RTF_GATEWAY) != 0 && gateway) route.gateway = gateway->address;
    return route;
}

Result<void> append_routes(std::vector<Route>& all, int address_family, Family family) {
    const auto messages = dump(address_family);
    if (!messages) return std::unexpected(messages.error());
    std::string_view rest = *messages;
    while (rest.size() >= sizeof(rt_msghdr)) {
        unsigned short length = 0;
        std::memcpy(&length, rest.data(), sizeof length);  // rtm_msglen comes first
        if (length < sizeof(rt_msghdr) || length > rest.size())
            return std::unexpected(Error{.code = Errc::kernel, .op = "sysctl", .detail = "a route(4) message is cut"});
        if (auto route = read_route(rest.substr(0, length), family)) all.push_back(*std::move(route));
        rest.remove_prefix(length);
    }
    return {};
}

Result<void> tell(unsigned char type, const IpAddress& gateway) {
    const IpAddress any{.family = gateway.family};
    const bool adding = type == RTM_ADD;
    const auto addresses =
        join({socket_address(any), socket_address(gateway), socket_address(netmask(gateway.family, 0))});
    rt_msghdr header{};
    header.rtm_msglen = static_cast<unsigned short>(sizeof header + addresses.size());
    header.rtm_version = RTM_VERSION;
    header.rtm_type = type;
    header.rtm_flags = RTF_UP | RTF_GATEWAY | RTF_STATIC;
    header.rtm_addrs = RTA_DST | RTA_GATEWAY | RTA_NETMASK;
    header.rtm_seq = 1;
    const auto message = std::string(reinterpret_cast<const char*>(&header), sizeof header) + addresses;

    const UniqueFd socket(::socket(PF_ROUTE, SOCK_RAW | SOCK_CLOEXEC, AF_UNSPEC));
    if (!socket) return std::unexpected(Error::from_errno("socket", errno, "PF_ROUTE"));
    // The result of write(2) is the answer; what the kernel tells all listeners goes with the socket.
    if (::write(socket.get(), message.data(), message.size()) == static_cast<ssize_t>(message.size())) return {};
    if (adding ? errno == EEXIST : errno == ESRCH) return {};
    return std::unexpected(
        Error::from_errno(adding ? "RTM_ADD" : "RTM_DELETE", errno, "default route by " + gateway.to_string()));
}

bool is_default(const Route& route) {
    return route.gateway && route.destination.length == 0;
}

bool holds(const std::vector<IpAddress>& list, const IpAddress& address) {
    return std::ranges::find(list, address) != list.end();
}

bool has_family(const std::vector<IpAddress>& list, Family family) {
    return std::ranges::any_of(list, [family](const IpAddress& one) { return one.family == family; });
}

}  // namespace

Result<std::vector<Route>> routes() {
    std::vector<Route> all;
    if (auto done = append_routes(all, AF_INET, Family::ipv4); !done) return std::unexpected(done.error());
    if (auto done = append_routes(all, AF_INET6, Family::ipv6); !done) return std::unexpected(done.error());
    return all;
}

Result<std::vector<IpAddress>> default_gateways(int index) {
    const auto all = routes();
    if (!all) return std::unexpected(all.error());
    std::vector<IpAddress> gateways;
    for (const auto& route : *all)
        if (is_default(route) && route.index == index) gateways.push_back(*route.gateway);
    std::ranges::sort(gateways);
    return gateways;
}

Result<void> set_default_gateways(int index, const std::vector<IpAddress>& wanted,
                                  const std::vector<Family>& families) {
    const auto all = routes();
    if (!all) return std::unexpected(all.error());
    std::vector<IpAddress> there;
    for (const auto& route : *all) {
        if (!is_default(route) || std::ranges::find(families, route.gateway->family) == families.end()) continue;
        if (route.index == index && holds(wanted, *route.gateway)) {
            there.push_back(*route.gateway);
            continue;
        }
        if (route.index != index && !has_family(wanted, route.gateway->family)) continue;
        if (auto removed = tell(RTM_DELETE, *route.gateway); !removed) return removed;
    }
    for (const auto& gateway : wanted) {
        if (holds(there, gateway)) continue;
        if (auto added = tell(RTM_ADD, gateway); !added) return added;
    }
    return {};
}

}  // namespace jaild::kernel::freebsd
