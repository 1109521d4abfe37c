#include "core/kernel/freebsd/pure/places.h"

#include <charconv>

namespace jaild::kernel::freebsd {

std::optional<JailId> Places::jail_of_root(std::string_view path) const {
    const auto before = (state / "jails").string() + "/";
    constexpr std::string_view kAfter = "/root";
    if (!path.starts_with(before) || !path.ends_with(kAfter) || path.size() < before.size() + kAfter.size())
        return std::nullopt;
    const auto number = path.substr(before.size(), path.size() - before.size() - kAfter.size());
    JailId id;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id.value);
    if (error != std::errc{} || end != number.data() + number.size() || id.value <= 0) return std::nullopt;
    if (root(id).string() != path) return std::nullopt;  // "007"
    return id;
}

}  // namespace jaild::kernel::freebsd
