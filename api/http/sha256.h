#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jaild::api {

/// SHA-256 (FIPS 180-4). Our own, so that builds without OpenSSL know it too.
using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);
/// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);
std::optional<Digest> digest_from_hex(std::string_view text);
/// Takes the same time whatever the two hold.
bool equal_in_constant_time(const Digest& a, const Digest& b);

}  // namespace jaild::api
