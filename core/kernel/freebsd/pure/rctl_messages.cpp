#include "core/kernel/freebsd/pure/rctl_messages.h"

#include "core/model/limits.h"

namespace jaild::kernel::freebsd::rctl {
namespace {

/// Up to `separator`, which is taken away with it; nothing where there is none.
std::optional<std::string_view> take_until(std::string_view& text, char separator) {
    const auto end = text.find(separator);
    if (end == std::string_view::npos) return std::nullopt;
    const auto taken = text.substr(0, end);
    text.remove_prefix(end + 1);
    return taken;
}

}  // namespace

std::optional<Breach> parse_breach(std::string_view line) {
    // Names of jails can hold anything: only what stands before the first of them can be relied on.
    constexpr std::string_view kFront = "!system=RCTL subsystem=rule type=matched rule=jail:";
    if (!line.starts_with(kFront)) return std::nullopt;
    line.remove_prefix(kFront.size());
    const auto name = take_until(line, ':');
    const auto resource = name ? take_until(line, ':') : std::nullopt;
    const auto action = resource ? take_until(line, '=') : std::nullopt;
    if (action != "devctl" || model::limit_resource(*resource) == nullptr) return std::nullopt;
    auto jail = model::Name::parse(*name);
    if (!jail) return std::nullopt;
    return Breach{.jail = *std::move(jail), .resource = std::string(*resource)};
}

}  // namespace jaild::kernel::freebsd::rctl
