#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jaild {

/// SHA-256 (FIPS 180-4). Our own, so that builds without OpenSSL know it too.
using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);

/// The same of what comes in pieces.
class Sha256 {
public:
    void add(std::string_view bytes);
    /// Of all that was added; nothing more may be.
    Digest finish();

private:
    std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> block_{};  ///< what does not fill one yet
    std::size_t held_ = 0;
    std::uint64_t bytes_ = 0;
};

/// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);
std::optional<Digest> digest_from_hex(std::string_view text);
/// Takes the same time whatever the two hold.
bool equal_in_constant_time(const Digest& a, const Digest& b);

}  // namespace jaild
