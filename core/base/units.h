#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild {

using Milliseconds = std::chrono::milliseconds;

/// A size in bytes, written as rctl(8) and ZFS write it: "512M", "1.5G", "4096". Factors are powers of 1024.
struct Bytes {
    std::uint64_t count = 0;
    auto operator<=>(const Bytes&) const = default;
    static Result<Bytes> parse(std::string_view text);
    /// Exact, with the largest suffix that divides it: "512M", "1536M", "1023".
    [[nodiscard]] std::string to_string() const;
};

/// Milliseconds since the epoch, UTC.
struct UtcTime {
    std::int64_t milliseconds = 0;
    auto operator<=>(const UtcTime&) const = default;
    /// RFC 3339 with milliseconds: "2026-11-21T22:28:35.123Z".
    [[nodiscard]] std::string to_string() const;
    static Result<UtcTime> parse(std::string_view text);
};

}  // namespace jaild
