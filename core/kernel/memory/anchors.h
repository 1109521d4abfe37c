#pragma once

#include <string_view>

/// How pf(4) treats anchors on a host whose pf.conf has our three lines. Pure.
namespace jaild::kernel::memory {

/// pfctl(8) takes no longer path of an anchor.
inline constexpr std::size_t kMaxAnchorPath = 63;

/// Its rules are evaluated: `anchor "jaild/*"` reaches one level, and nothing beneath that.
[[nodiscard]] constexpr bool evaluated(std::string_view anchor) {
    constexpr std::string_view above = "jaild/";
    if (!anchor.starts_with(above) || anchor.size() == above.size()) return false;
    return anchor.find('/', above.size()) == std::string_view::npos;
}

}  // namespace jaild::kernel::memory
