#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// An IPv4 or IPv6 address in network byte order; no scope.
struct IpAddress {
    Family family = Family::ipv4;
    std::array<std::uint8_t, 16> bytes{};  ///< IPv4 uses the first four
    auto operator<=>(const IpAddress&) const = default;
    static Result<IpAddress> parse(std::string_view text);
    /// inet_ntop(3)'s form.
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] unsigned bits() const { return family == Family::ipv4 ? 32 : 128; }
};

/// An address with a prefix length: "10.213.0.2/24". As a network its host bits are zero.
struct Prefix {
    IpAddress address;
    unsigned length = 0;
    auto operator<=>(const Prefix&) const = default;
    static Result<Prefix> parse(std::string_view text);  ///< host bits allowed
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] Prefix network() const;  ///< with its host bits cleared
    [[nodiscard]] bool contains(const IpAddress& other) const;
    [[nodiscard]] bool overlaps(const Prefix& other) const;
    /// All host bits set: IPv4's broadcast address.
    [[nodiscard]] IpAddress last() const;
    /// The n-th address of this network, counted from its first (all zero host bits): nth(1) is the usual gateway.
    [[nodiscard]] IpAddress nth(std::uint64_t n) const;
};

}  // namespace jaild
