#include "core/base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

#include "core/base/ascii.h"

namespace jaild {
namespace {

int address_family(Family family) {
    return family == Family::ipv4 ? AF_INET : AF_INET6;
}
std::size_t width(Family family) {
    return family == Family::ipv4 ? 4 : 16;
}

IpAddress masked(IpAddress address, unsigned length) {
    for (std::size_t i = 0; i < address.bytes.size(); ++i) {
        const auto first_bit = static_cast<unsigned>(8 * i);
        if (first_bit >= length) {
            address.bytes[i] = 0;
        } else if (length - first_bit < 8) {
            address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00U >> (length - first_bit)));
        }
    }
    return address;
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
    const auto refused = [text] {
        return std::unexpected(
            Error::invalid("invalid_address", "", in_quotes(text) + " is no IPv4 or IPv6 address (without a scope)"));
    };
    // inet_pton(3) reads to the first NUL.
    if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return refused();
    const std::string terminated(text);
    IpAddress address;
    address.family = text.find(':') == std::string_view::npos ? Family::ipv4 : Family::ipv6;
    if (::inet_pton(address_family(address.family), terminated.c_str(), address.bytes.data()) != 1) return refused();
    return address;
}

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(address_family(family), bytes.data(), text, sizeof text);
    return text;
}

Result<Prefix> Prefix::parse(std::string_view text) {
    const auto refused = [text] {
        return std::unexpected(Error::invalid(
            "invalid_prefix", "", in_quotes(text) + " is no address with prefix length, such as 10.0.0.2/24"));
    };
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return refused();
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::unexpected(address.error());
    const auto digits = text.substr(slash + 1);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits.front() == '0')) return refused();
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > address->bits()) return refused();
    return Prefix{.address = *address, .length = length};
}

std::string Prefix::to_string() const {
    return address.to_string() + "/" + std::to_string(length);
}

Prefix Prefix::network() const {
    return Prefix{.address = masked(address, length), .length = length};
}

bool Prefix::contains(const IpAddress& other) const {
    return other.family == address.family && masked(other, length) == masked(address, length);
}

bool Prefix::overlaps(const Prefix& other) const {
    const auto& wider = length <= other.length ? *this : other;
    const auto& narrower = length <= other.length ? other : *this;
    return wider.contains(narrower.address);
}

IpAddress Prefix::last() const {
    auto result = masked(address, length);
    for (unsigned bit = length; bit < result.bits(); ++bit) {
        result.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80U >> bit % 8);
    }
    return result;
}

IpAddress Prefix::nth(std::uint64_t n) const {
    auto result = masked(address, length);
    unsigned carry = 0;
    for (auto i = width(address.family); i-- > 0;) {
        const auto sum = result.bytes[i] + static_cast<unsigned>(n & 0xff) + carry;
        result.bytes[i] = static_cast<std::uint8_t>(sum & 0xff);
        carry = sum >> 8;
        n >>= 8;
    }
    return result;
}

}  // namespace jaild
