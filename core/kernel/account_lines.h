#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

/// Lines of passwd(5) and group(5) that belong to a jail's root: those that are not exactly as the manual says are no
/// lines. Pure.
namespace jaild::kernel::accounts {

inline constexpr std::size_t kFileLimit = 1 << 20;  ///< bytes of such a file that are read

template <std::size_t N>
using Fields = std::array<std::string_view, N>;

/// Exactly N fields, none with a character that no such file has.
template <std::size_t N>
std::optional<Fields<N>> split(std::string_view line) {
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(line.begin(), line.end(), control)) return std::nullopt;
    Fields<N> fields;
    for (std::size_t i = 0; i < N; ++i) {
        const auto colon = line.find(':');
        if ((colon == std::string_view::npos) != (i == N - 1)) return std::nullopt;
        fields[i] = line.substr(0, colon);
        line.remove_prefix(colon == std::string_view::npos ? line.size() : colon + 1);
    }
    return fields;
}

/// Decimal digits only; 4294967295 is (uid_t)-1, which means "no change" to setresuid(2).
inline std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (value == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return value;
}

/// Until `visit` returns false.
template <class Visit>
void each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (!visit(text.substr(0, end))) return;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace jaild::kernel::accounts
