#include "core/kernel/freebsd/pure/socket_addresses.h"

#include <algorithm>
#include <cstdint>

namespace jaild::kernel::freebsd {
namespace {

// <sys/socket.h> and <netinet/in.h> of FreeBSD; Linux has other numbers and no length.
constexpr unsigned char kInet = 2;
constexpr unsigned char kInet6 = 28;
constexpr std::size_t kInetSize = 16;
constexpr std::size_t kInet6Size = 28;
constexpr std::size_t kInetOffset = 4;   ///< of sin_addr
constexpr std::size_t kInet6Offset = 8;  ///< of sin6_addr
constexpr std::size_t kNetmask = 2;      ///< RTAX_NETMASK

std::size_t width(Family family) {
    return family == Family::ipv4 ? 4 : 16;
}
std::size_t offset(Family family) {
    return family == Family::ipv4 ? kInetOffset : kInet6Offset;
}

std::size_t padded(std::size_t length) {
    constexpr std::size_t kWord = sizeof(long);
    return length == 0 ? kWord : (length + kWord - 1) / kWord * kWord;
}

IpAddress address_at(std::string_view bytes, Family family) {
    IpAddress address{.family = family};
    for (std::size_t i = 0; i < width(family) && offset(family) + i < bytes.size(); ++i)
        address.bytes[i] = static_cast<std::uint8_t>(bytes[offset(family) + i]);
    return address;
}

/// The kernel keeps the scope of fe80::/10 in its second 16 bits: KAME's embedded scope, inet6(4).
void take_scope_out(IpAddress& address) {
    if (address.family != Family::ipv6 || address.bytes[0] != 0xfe || (address.bytes[1] & 0xc0U) != 0x80) return;
    address.bytes[2] = address.bytes[3] = 0;
}

SocketAddress read_one(std::string_view bytes) {
    SocketAddress one{.bytes = std::string(bytes)};
    const auto family = bytes.size() > 1 ? static_cast<unsigned char>(bytes[1]) : 0;
    if (family == kInet && bytes.size() >= kInetOffset + 4) one.address = address_at(bytes, Family::ipv4);
    if (family == kInet6 && bytes.size() >= kInet6Offset + 16) one.address = address_at(bytes, Family::ipv6);
    if (one.address) take_scope_out(*one.address);
    return one;
}

}  // namespace

std::string socket_address(const IpAddress& address) {
    const bool four = address.family == Family::ipv4;
    std::string bytes(four ? kInetSize : kInet6Size, '\0');
    bytes[0] = static_cast<char>(bytes.size());
    bytes[1] = static_cast<char>(four ? kInet : kInet6);
    for (std::size_t i = 0; i < width(address.family); ++i)
        bytes[offset(address.family) + i] = static_cast<char>(address.bytes[i]);
    return bytes;
}

IpAddress netmask(Family family, unsigned length) {
    IpAddress mask{.family = family};
    for (unsigned bit = 0; bit < length && bit < mask.bits(); ++bit)
        mask.bytes[bit / 8] = static_cast<std::uint8_t>(mask.bytes[bit / 8] | (0x80U >> (bit % 8)));
    return mask;
}

std::optional<unsigned> mask_length(const IpAddress& mask) {
    unsigned length = 0;
    while (length < mask.bits() && (mask.bytes[length / 8] & (0x80U >> (length % 8))) != 0) ++length;
    if (netmask(mask.family, length) != mask) return std::nullopt;
    return length;
}

IpAddress broadcast(const Prefix& prefix) {
    IpAddress last = prefix.address;
    if (last.bits() - prefix.length == 1) {
        last.bytes.fill(0);
        std::fill_n(last.bytes.begin(), width(last.family), std::uint8_t{0xff});
        return last;
    }
    const auto mask = netmask(last.family, prefix.length);
    for (std::size_t i = 0; i < width(last.family); ++i)
        last.bytes[i] = static_cast<std::uint8_t>(last.bytes[i] | static_cast<std::uint8_t>(~mask.bytes[i]));
    return last;
}

std::string join(const std::vector<std::string>& addresses) {
    std::string joined;
    for (const auto& address : addresses) {
        joined += address;
        joined.append(padded(address.size()) - address.size(), '\0');
    }
    return joined;
}

std::optional<SocketAddresses> split(std::string_view bytes, int mask) {
    SocketAddresses addresses;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if ((static_cast<unsigned>(mask) & (1U << i)) == 0) continue;
        if (bytes.empty()) return std::nullopt;
        const std::size_t length = static_cast<unsigned char>(bytes.front());
        if (length > bytes.size()) return std::nullopt;
        addresses[i] = read_one(bytes.substr(0, length));
        bytes.remove_prefix(std::min(padded(length), bytes.size()));
    }
    return addresses;
}

std::optional<unsigned> split_mask_length(const SocketAddresses& addresses, Family family) {
    const auto& mask = addresses[kNetmask];
    if (!mask) return IpAddress{.family = family}.bits();  // a route to one host has none
    return mask_length(address_at(mask->bytes, family));
}

}  // namespace jaild::kernel::freebsd
