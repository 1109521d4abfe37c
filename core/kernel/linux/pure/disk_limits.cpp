#include "core/kernel/linux/pure/disk_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace jaild::kernel::cgroups {
namespace {

/// Cuts off and returns what comes before `end`, or all.
std::string_view cut(std::string_view& text, char end) {
    const auto at = std::min(text.find(end), text.size());
    const auto found = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return found;
}

/// The rest of the disk's line.
std::string_view line_of(std::string_view text, const std::string& disk) {
    while (!text.empty()) {
        auto line = cut(text, '\n');
        if (cut(line, ' ') == disk) return line;
    }
    return {};
}

/// "rbps=1048576 wbps=max": the word behind a key.
std::string_view word_of(std::string_view line, std::string_view key) {
    while (!line.empty()) {
        auto value = cut(line, ' ');
        if (cut(value, '=') == key) return value;
    }
    return {};
}

/// As the runtime-spec calls it.
std::string throttle_name(const Knob& knob) {
    if (knob.key == "rbps") return "throttleReadBpsDevice";
    if (knob.key == "wbps") return "throttleWriteBpsDevice";
    return knob.key == "riops" ? "throttleReadIOPSDevice" : "throttleWriteIOPSDevice";
}

}  // namespace

std::string DiskId::text() const {
    return fmt::format("{}:{}", major, minor);
}

bool any_of_disk(const model::Limits& limits) {
    return std::ranges::any_of(limits, [](const auto& one) {
        const auto* knob = knob_of(one.first);
        return knob != nullptr && knob->of_disk();
    });
}

std::string disk_text(const Knob& knob, Version version, DiskId disk, std::optional<std::int64_t> amount) {
    if (version == Version::v1) return fmt::format("{} {}", disk.text(), amount.value_or(0));
    return fmt::format("{} {}={}", disk.text(), knob.key, amount ? std::to_string(*amount) : "max");
}

std::optional<model::LimitRule> disk_rule(const Knob& knob, Version version, DiskId disk, std::string_view text) {
    const auto line = line_of(text, disk.text());
    const auto word = version == Version::v1 ? line : word_of(line, knob.key);
    std::int64_t amount = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), amount);
    if (failed != std::errc{} || end != word.data() + word.size() || amount <= 0) return std::nullopt;  // "max"
    return model::LimitRule{.resource = std::string(knob.resource), .limit = {.amount = amount, .action = "throttle"}};
}

nlohmann::json oci_throttles(const model::Limits& limits, DiskId disk) {
    nlohmann::json throttles = nlohmann::json::object();
    for (const auto& [resource, limit] : limits) {
        const auto* knob = knob_of(resource);
        if (knob == nullptr || !knob->of_disk()) continue;
        nlohmann::json one{{"major", disk.major}, {"minor", disk.minor}, {"rate", limit.amount}};
        throttles[throttle_name(*knob)] = nlohmann::json::array({std::move(one)});
    }
    return throttles;
}

}  // namespace jaild::kernel::cgroups
