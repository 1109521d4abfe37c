#include "core/kernel/freebsd/pure/solicitation.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace jaild::kernel::freebsd {
namespace {

using namespace std::string_view_literals;

constexpr auto kAllRoutersMac = "\x33\x33\x00\x00\x00\x02"sv;  // RFC 2464 §7
constexpr auto kEtherTypeIpv6 = "\x86\xdd"sv;
constexpr auto kAnyAddress = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv;
constexpr auto kAllRouters = "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"sv;
constexpr char kIcmpv6 = 58;
constexpr char kHopLimit = static_cast<char>(255);  // RFC 4861 §6.1.1: any other is dropped
constexpr char kSolicitation = static_cast<char>(133);

Result<std::string> mac_bytes(const std::string& text) {
    constexpr std::size_t kBytes = 6;
    const auto wrong = [&] { return std::unexpected(Error::invalid("invalid_mac", {}, "no MAC address: " + text)); };
    if (text.size() != kBytes * 3 - 1) return wrong();
    std::string bytes;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        std::uint8_t byte = 0;
        const auto [end, error] = std::from_chars(&text[at], &text[at] + 2, byte, 16);
        if (error != std::errc{} || end != &text[at] + 2) return wrong();
        if (at + 2 < text.size() && text[at + 2] != ':') return wrong();
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

/// RFC 4443 §2.3, of an even number of bytes.
std::string checksum(std::string_view text) {
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2)
        sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(text[at])) << 8U |
               static_cast<std::uint8_t>(text[at + 1]);
    while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
    const auto inverted = ~sum & 0xffffU;
    return {static_cast<char>(inverted >> 8U), static_cast<char>(inverted & 0xffU)};
}

}  // namespace

Result<std::string> router_solicitation(const std::string& mac) {
    const auto sender = mac_bytes(mac);
    if (!sender) return sender;
    const std::string length{'\0', '\x08'};
    const std::string start{kSolicitation, '\0'};
    const std::string reserved(4, '\0');
    const auto addresses = std::string(kAnyAddress) + std::string(kAllRouters);
    // What the checksum covers before the message itself: RFC 8200 §8.1.
    const auto pseudo = addresses + std::string(2, '\0') + length + std::string(3, '\0') + kIcmpv6;
    const auto sum = checksum(pseudo + start + std::string(2, '\0') + reserved);
    return std::string(kAllRoutersMac) + *sender + std::string(kEtherTypeIpv6) + std::string("\x60\0\0\0", 4) + length +
           kIcmpv6 + kHopLimit + addresses + start + sum + reserved;
}

}  // namespace jaild::kernel::freebsd
