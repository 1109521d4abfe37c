#include "core/kernel/linux/interfaces.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace jaild::kernel::rtnl {
namespace {

constexpr std::size_t kMacLength = 6;
using Mac = std::array<std::uint8_t, kMacLength>;

/// "02:0a:…" as names.h writes it.
Mac mac_bytes(const std::string& text) {
    Mac bytes{};
    for (std::size_t i = 0; i < kMacLength && 3 * i + 2 <= text.size(); ++i) {
        std::from_chars(text.data() + 3 * i, text.data() + 3 * i + 2, bytes[i], 16);
    }
    return bytes;
}

std::string mac_text(const nlattr* attribute) {
    if (static_cast<std::size_t>(nla_len(attribute)) != kMacLength) return {};
    const auto* bytes = static_cast<const std::uint8_t*>(nla_data(attribute));
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4],
                       bytes[5]);
}

std::string text(const nlattr* attribute) {
    const std::string_view whole(static_cast<const char*>(nla_data(attribute)),
                                 static_cast<std::size_t>(nla_len(attribute)));
    return std::string(whole.substr(0, whole.find('\0')));
}

std::string kind_of(nlattr* information) {
    const nlattr* kind = nla_find(static_cast<nlattr*>(nla_data(information)), nla_len(information), IFLA_INFO_KIND);
    return kind == nullptr ? std::string() : text(kind);
}

unsigned vlan_of(nlattr* information) {
    nlattr* data = nla_find(static_cast<nlattr*>(nla_data(information)), nla_len(information), IFLA_INFO_DATA);
    if (data == nullptr) return 0;
    const nlattr* id = nla_find(static_cast<nlattr*>(nla_data(data)), nla_len(data), IFLA_VLAN_ID);
    return id == nullptr ? 0 : nla_get_u16(id);
}

/// A member's part of its bridge, beside what the interface itself is.
Port port_of(nlattr* information) {
    const auto* kind =
        nla_find(static_cast<nlattr*>(nla_data(information)), nla_len(information), IFLA_INFO_SLAVE_KIND);
    nlattr* data = nla_find(static_cast<nlattr*>(nla_data(information)), nla_len(information), IFLA_INFO_SLAVE_DATA);
    if (kind == nullptr || text(kind) != "bridge" || data == nullptr) return {};
    const auto flag = [data](int type) {
        const nlattr* value = nla_find(static_cast<nlattr*>(nla_data(data)), nla_len(data), type);
        return value != nullptr && nla_get_u8(value) != 0;
    };
    return {.hairpin = flag(IFLA_BRPORT_MODE), .isolated = flag(IFLA_BRPORT_ISOLATED)};
}

Traffic traffic_of(const nlattr* attribute) {
    rtnl_link_stats64 counted{};  // newer kernels have more fields at its end, older ones fewer
    std::memcpy(&counted, nla_data(attribute), std::min(sizeof counted, static_cast<std::size_t>(nla_len(attribute))));
    return {.bytes_in = counted.rx_bytes,
            .packets_in = counted.rx_packets,
            .bytes_out = counted.tx_bytes,
            .packets_out = counted.tx_packets};
}

std::optional<Interface> parse(nlmsghdr* header) {
    if (header->nlmsg_type != RTM_NEWLINK) return std::nullopt;
    std::array<nlattr*, IFLA_MAX + 1> attributes{};
    if (nlmsg_parse(header, sizeof(ifinfomsg), attributes.data(), IFLA_MAX, nullptr) < 0) return std::nullopt;
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
    const auto number = [&attributes](std::size_t type) {
        return attributes[type] == nullptr ? 0U : nla_get_u32(attributes[type]);
    };

    Interface result;
    result.index = info->ifi_index;
    result.up = (info->ifi_flags & IFF_UP) != 0;
    result.mtu = number(IFLA_MTU);
    result.master = static_cast<int>(number(IFLA_MASTER));
    result.peer = static_cast<int>(number(IFLA_LINK));
    if (attributes[IFLA_IFNAME] != nullptr) result.name = text(attributes[IFLA_IFNAME]);
    if (attributes[IFLA_IFALIAS] != nullptr) result.alias = text(attributes[IFLA_IFALIAS]);
    if (attributes[IFLA_ADDRESS] != nullptr) result.mac = mac_text(attributes[IFLA_ADDRESS]);
    if (attributes[IFLA_STATS64] != nullptr) result.traffic = traffic_of(attributes[IFLA_STATS64]);
    if (attributes[IFLA_LINKINFO] != nullptr) {
        result.kind = kind_of(attributes[IFLA_LINKINFO]);
        result.port = port_of(attributes[IFLA_LINKINFO]);
        if (result.kind == "vlan") result.vlan = vlan_of(attributes[IFLA_LINKINFO]);
    }
    return result;
}

ifinfomsg header_for(int index) {
    ifinfomsg info{};
    info.ifi_family = AF_UNSPEC;
    info.ifi_index = index;
    return info;
}

void put_new(nl::Message& message, const NewInterface& interface) {
    message.put(IFLA_IFNAME, interface.name);
    message.put(IFLA_MTU, interface.mtu);
    const Mac mac = mac_bytes(interface.mac);
    message.put(IFLA_ADDRESS, std::span<const std::uint8_t>(mac));
}

constexpr int kCreate = NLM_F_CREATE | NLM_F_EXCL;

}  // namespace

Result<std::vector<Interface>> interfaces(nl::Socket& socket) {
    const nl::Message message(RTM_GETLINK, NLM_F_DUMP, header_for(0));
    return socket.dump<Interface>(message, "RTM_GETLINK", "all interfaces", parse);
}

Result<std::optional<Interface>> find(nl::Socket& socket, const std::string& name) {
    nl::Message message(RTM_GETLINK, 0, header_for(0));
    message.put(IFLA_IFNAME, name);
    auto found = socket.dump<Interface>(message, "RTM_GETLINK", name, parse);
    if (!found && found.error().sys == ENODEV) return std::nullopt;
    if (!found) return std::unexpected(found.error());
    // Linux also finds an interface by an alternative name; ours is the first one.
    if (found->empty() || found->front().name != name) return std::nullopt;
    return std::move(found->front());
}

Result<std::optional<Interface>> find(nl::Socket& socket, int index) {
    const nl::Message message(RTM_GETLINK, 0, header_for(index));
    auto found = socket.dump<Interface>(message, "RTM_GETLINK", fmt::format("interface {}", index), parse);
    if (!found && found.error().sys == ENODEV) return std::nullopt;
    if (!found) return std::unexpected(found.error());
    if (found->empty()) return std::nullopt;
    return std::move(found->front());
}

bool Change::empty() const {
    return !name && !alias && !mac && !mtu && !master && !netns && !up;
}

Result<void> change(nl::Socket& socket, const Interface& interface, const Change& change) {
    if (change.empty()) return {};
    ifinfomsg info = header_for(interface.index);
    if (change.up) {
        if (*change.up) info.ifi_flags = IFF_UP;
        info.ifi_change = IFF_UP;
    }
    nl::Message message(RTM_NEWLINK, 0, info);
    if (change.netns) message.put(IFLA_NET_NS_FD, static_cast<std::uint32_t>(*change.netns));
    if (change.name) message.put(IFLA_IFNAME, *change.name);
    if (change.alias) message.put(IFLA_IFALIAS, *change.alias);
    if (change.mac) {
        const Mac mac = mac_bytes(*change.mac);
        message.put(IFLA_ADDRESS, std::span<const std::uint8_t>(mac));
    }
    if (change.mtu) message.put(IFLA_MTU, *change.mtu);
    if (change.master) message.put(IFLA_MASTER, static_cast<std::uint32_t>(*change.master));
    return socket.request(message, "RTM_NEWLINK", interface.name);
}

Result<void> set_port(nl::Socket& socket, const Interface& member, const Port& port) {
    ifinfomsg info = header_for(member.index);
    info.ifi_family = AF_BRIDGE;
    nl::Message message(RTM_SETLINK, 0, info);
    message.nest(IFLA_PROTINFO | NLA_F_NESTED, [&message, &port] {
        const std::uint8_t hairpin = port.hairpin ? 1 : 0;
        const std::uint8_t isolated = port.isolated ? 1 : 0;
        message.put(IFLA_BRPORT_MODE, std::span(&hairpin, 1));
        message.put(IFLA_BRPORT_ISOLATED, std::span(&isolated, 1));
    });
    return socket.request(message, "RTM_SETLINK", member.name);
}

Result<void> remove(nl::Socket& socket, const Interface& interface) {
    const nl::Message message(RTM_DELLINK, 0, header_for(interface.index));
    auto removed = socket.request(message, "RTM_DELLINK", interface.name);
    if (!removed && removed.error().sys == ENODEV) return {};
    return removed;
}

Result<void> add_veth(nl::Socket& socket, const NewInterface& one, const NewInterface& other) {
    nl::Message message(RTM_NEWLINK, kCreate, header_for(0));
    put_new(message, one);
    message.nest(IFLA_LINKINFO, [&message, &other] {
        message.put(IFLA_INFO_KIND, "veth");
        message.nest(IFLA_INFO_DATA, [&message, &other] {
            message.nest(VETH_INFO_PEER, [&message, &other] {
                message.append(header_for(0));
                put_new(message, other);
            });
        });
    });
    return socket.request(message, "RTM_NEWLINK", one.name);
}

Result<void> add_vlan(nl::Socket& socket, const NewInterface& vlan, const Interface& parent, unsigned id) {
    nl::Message message(RTM_NEWLINK, kCreate, header_for(0));
    message.put(IFLA_IFNAME, vlan.name);
    message.put(IFLA_MTU, vlan.mtu);
    message.put(IFLA_LINK, static_cast<std::uint32_t>(parent.index));
    message.nest(IFLA_LINKINFO, [&message, id] {
        message.put(IFLA_INFO_KIND, "vlan");
        message.nest(IFLA_INFO_DATA, [&message, id] {
            const auto number = static_cast<std::uint16_t>(id);
            std::array<std::uint8_t, sizeof number> bytes{};
            std::memcpy(bytes.data(), &number, sizeof number);
            message.put(IFLA_VLAN_ID, std::span<const std::uint8_t>(bytes));
        });
    });
    return socket.request(message, "RTM_NEWLINK", vlan.name);
}

Result<void> add_bridge(nl::Socket& socket, const NewInterface& bridge) {
    nl::Message message(RTM_NEWLINK, kCreate, header_for(0));
    put_new(message, bridge);
    message.nest(IFLA_LINKINFO, [&message] {
        message.put(IFLA_INFO_KIND, "bridge");
        message.nest(IFLA_INFO_DATA, [&message] { message.put(IFLA_BR_STP_STATE, 0U); });
    });
    return socket.request(message, "RTM_NEWLINK", bridge.name);
}

}  // namespace jaild::kernel::rtnl
