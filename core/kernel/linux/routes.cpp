#include "core/kernel/linux/routes.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace jaild::kernel::rtnl {
namespace {

std::size_t size_of(Family family) {
    return family == Family::ipv4 ? 4 : 16;
}

unsigned char number_of(Family family) {
    return family == Family::ipv4 ? AF_INET : AF_INET6;
}

std::optional<Family> family_of(unsigned char number) {
    if (number == AF_INET) return Family::ipv4;
    if (number == AF_INET6) return Family::ipv6;
    return std::nullopt;
}

std::span<const std::uint8_t> bytes_of(const IpAddress& address) {
    return std::span<const std::uint8_t>(address.bytes).first(size_of(address.family));
}

IpAddress address_from(Family family, const nlattr* attribute) {
    IpAddress address{.family = family};
    if (attribute == nullptr) return address;  // 0.0.0.0, ::
    const auto* bytes = static_cast<const std::uint8_t*>(nla_data(attribute));
    const auto length = std::min(size_of(family), static_cast<std::size_t>(nla_len(attribute)));
    std::copy_n(bytes, length, address.bytes.begin());
    return address;
}

std::optional<Address> parse_address(nlmsghdr* header) {
    if (header->nlmsg_type != RTM_NEWADDR) return std::nullopt;
    std::array<nlattr*, IFA_MAX + 1> attributes{};
    if (nlmsg_parse(header, sizeof(ifaddrmsg), attributes.data(), IFA_MAX, nullptr) < 0) return std::nullopt;
    const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(header));
    const auto family = family_of(info->ifa_family);
    if (!family) return std::nullopt;
    // IFA_LOCAL is the interface's own address, IFA_ADDRESS may be a point-to-point peer's; IPv6 has only the latter.
    const nlattr* own = attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    return Address{.index = static_cast<int>(info->ifa_index),
                   .prefix = {.address = address_from(*family, own), .length = info->ifa_prefixlen},
                   .tentative = (info->ifa_flags & IFA_F_TENTATIVE) != 0};
}

std::optional<Route> parse_route(nlmsghdr* header) {
    if (header->nlmsg_type != RTM_NEWROUTE) return std::nullopt;
    std::array<nlattr*, RTA_MAX + 1> attributes{};
    if (nlmsg_parse(header, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) return std::nullopt;
    const auto* info = static_cast<const rtmsg*>(nlmsg_data(header));
    const auto family = family_of(info->rtm_family);
    if (!family || (info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
    const auto number = [&attributes](std::size_t type, unsigned otherwise) {
        return attributes[type] == nullptr ? otherwise : nla_get_u32(attributes[type]);
    };

    Route route;
    route.destination = {.address = address_from(*family, attributes[RTA_DST]), .length = info->rtm_dst_len};
    if (attributes[RTA_GATEWAY] != nullptr) route.gateway = address_from(*family, attributes[RTA_GATEWAY]);
    route.index = static_cast<int>(number(RTA_OIF, 0));
    route.table = number(RTA_TABLE, info->rtm_table);
    route.metric = number(RTA_PRIORITY, 0);
    route.type = info->rtm_type;
    route.protocol = info->rtm_protocol;
    return route;
}

nl::Message address_message(int type, int flags, const Address& address) {
    ifaddrmsg info{};
    info.ifa_family = number_of(address.prefix.address.family);
    info.ifa_prefixlen = static_cast<unsigned char>(address.prefix.length);
    info.ifa_flags = IFA_F_NODAD;
    info.ifa_index = static_cast<unsigned>(address.index);
    nl::Message message(type, flags, info);
    message.put(IFA_LOCAL, bytes_of(address.prefix.address));
    message.put(IFA_ADDRESS, bytes_of(address.prefix.address));
    return message;
}

}  // namespace

Result<std::vector<Address>> addresses(nl::Socket& socket) {
    const nl::Message message(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
    return socket.dump<Address>(message, "RTM_GETADDR", "all addresses", parse_address);
}

Result<void> add_address(nl::Socket& socket, const Address& address) {
    const auto message = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address);
    return socket.request(message, "RTM_NEWADDR", address.prefix.to_string());
}

Result<void> remove_address(nl::Socket& socket, const Address& address) {
    const auto message = address_message(RTM_DELADDR, 0, address);
    auto removed = socket.request(message, "RTM_DELADDR", address.prefix.to_string());
    // Removing an IPv4 address can take its secondary ones with it.
    if (!removed && removed.error().sys == EADDRNOTAVAIL) return {};
    return removed;
}

Result<std::vector<Route>> routes(nl::Socket& socket) {
    std::vector<Route> all;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        rtmsg info{};
        info.rtm_family = number_of(family);
        const nl::Message message(RTM_GETROUTE, NLM_F_DUMP, info);
        auto found = socket.dump<Route>(message, "RTM_GETROUTE", "all routes", parse_route);
        // A kernel without IPv6 knows no such family.
        if (!found && family == Family::ipv6 && found.error().sys == EOPNOTSUPP) continue;
        if (!found) return std::unexpected(found.error());
        all.insert(all.end(), found->begin(), found->end());
    }
    return all;
}

Result<void> add_default_route(nl::Socket& socket, const IpAddress& gateway, int index) {
    rtmsg info{};
    info.rtm_family = number_of(gateway.family);
    info.rtm_table = RT_TABLE_MAIN;
    info.rtm_protocol = RTPROT_STATIC;
    info.rtm_scope = RT_SCOPE_UNIVERSE;
    info.rtm_type = RTN_UNICAST;
    nl::Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, info);
    message.put(RTA_GATEWAY, bytes_of(gateway));
    message.put(RTA_OIF, static_cast<std::uint32_t>(index));
    return socket.request(message, "RTM_NEWROUTE", fmt::format("default by {}", gateway.to_string()));
}

Result<void> remove_route(nl::Socket& socket, const Route& route) {
    rtmsg info{};
    info.rtm_family = number_of(route.destination.address.family);
    info.rtm_dst_len = static_cast<unsigned char>(route.destination.length);
    info.rtm_scope = RT_SCOPE_NOWHERE;  // any
    nl::Message message(RTM_DELROUTE, 0, info);
    if (route.destination.length != 0) message.put(RTA_DST, bytes_of(route.destination.address));
    if (route.gateway) message.put(RTA_GATEWAY, bytes_of(*route.gateway));
    if (route.index != 0) message.put(RTA_OIF, static_cast<std::uint32_t>(route.index));
    if (route.metric != 0) message.put(RTA_PRIORITY, route.metric);
    message.put(RTA_TABLE, route.table);
    auto removed = socket.request(message, "RTM_DELROUTE", route.destination.to_string());
    if (!removed && removed.error().sys == ESRCH) return {};
    return removed;
}

bool is_link_local(const IpAddress& address) {
    return address.family == Family::ipv6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0U) == 0x80;
}

bool is_multicast(const IpAddress& address) {
    return address.family == Family::ipv4 ? (address.bytes[0] & 0xf0U) == 0xe0 : address.bytes[0] == 0xff;
}

}  // namespace jaild::kernel::rtnl
