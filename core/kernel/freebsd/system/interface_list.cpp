// getifaddrs(3) as a list of interfaces.
#include <sys/types.h>
// after <sys/types.h>
#include <ifaddrs.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_dl.h>
#include <net/if_types.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "core/kernel/freebsd/pure/socket_addresses.h"
#include "core/kernel/freebsd/system/interfaces.h"

namespace jaild::kernel::freebsd {
namespace {

struct FreeList {
    void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

std::string mac_text(const unsigned char* bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < ETHER_ADDR_LEN; ++i) {
        if (i != 0) text += ':';
        text += kDigits[bytes[i] >> 4U];
        text += kDigits[bytes[i] & 0xfU];
    }
    return text;
}

void take_link(Interface& interface, const ifaddrs& entry) {
    sockaddr_dl link{};
    std::memcpy(&link, entry.ifa_addr, std::min<std::size_t>(entry.ifa_addr->sa_len, sizeof link));
    interface.index = link.sdl_index;
    if (link.sdl_alen == ETHER_ADDR_LEN && link.sdl_nlen + ETHER_ADDR_LEN <= static_cast<int>(sizeof link.sdl_data))
        interface.mac = mac_text(reinterpret_cast<const unsigned char*>(LLADDR(&link)));
    if (entry.ifa_data != nullptr) {
        if_data data{};
        std::memcpy(&data, entry.ifa_data, sizeof data);
        interface.mtu = data.ifi_mtu;
        interface.bridge = data.ifi_type == IFT_BRIDGE;
        interface.bytes_in = data.ifi_ibytes;
        interface.packets_in = data.ifi_ipackets;
        interface.bytes_out = data.ifi_obytes;
        interface.packets_out = data.ifi_opackets;
    }
}

bool is_link_local(const IpAddress& address) {
    return address.family == Family::ipv6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0U) == 0x80;
}

void take_address(Interface& interface, const ifaddrs& entry) {
    const auto bytes = [](const sockaddr* address) {
        return std::string_view(reinterpret_cast<const char*>(address), address->sa_len);
    };
    const auto own = split(bytes(entry.ifa_addr), 1);
    if (!own || !(*own)[0] || !(*own)[0]->address) return;
    const auto address = *(*own)[0]->address;
    if (is_link_local(address)) return;
    unsigned length = address.bits();
    if (entry.ifa_netmask != nullptr) {
        SocketAddresses mask;
        mask[2] = SocketAddress{.bytes = std::string(bytes(entry.ifa_netmask))};
        if (const auto known = split_mask_length(mask, address.family)) length = *known;
    }
    interface.addresses.push_back({.address = address, .length = length});
}

}  // namespace

Result<std::vector<Interface>> interfaces() {
    ifaddrs* head = nullptr;
    if (::getifaddrs(&head) != 0) return std::unexpected(Error::from_errno("getifaddrs", errno));
    const std::unique_ptr<ifaddrs, FreeList> list(head);
    std::map<std::string, Interface> all;
    for (const auto* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
        auto& interface = all[entry->ifa_name];
        interface.name = entry->ifa_name;
        interface.up = (entry->ifa_flags & IFF_UP) != 0;
        if (entry->ifa_addr == nullptr) continue;
        if (entry->ifa_addr->sa_family == AF_LINK) take_link(interface, *entry);
        if (entry->ifa_addr->sa_family == AF_INET || entry->ifa_addr->sa_family == AF_INET6)
            take_address(interface, *entry);
    }
    std::vector<Interface> found;
    found.reserve(all.size());
    for (auto& [name, interface] : all) {
        std::ranges::sort(interface.addresses);
        found.push_back(std::move(interface));
    }
    return found;
}

const Interface* named(const std::vector<Interface>& all, const std::string& name) {
    const auto found = std::ranges::find(all, name, &Interface::name);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace jaild::kernel::freebsd
