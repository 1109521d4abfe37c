#include "core/model/manifest.h"

#include <algorithm>

namespace jaild::model {
namespace {

constexpr std::size_t kDigits = 64;

bool is_checksum(std::string_view text) {
    const auto digit = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    return text.size() == kDigits && std::ranges::all_of(text, digit);
}

/// What is before the next tab; `line` is what comes after it.
std::string_view take_column(std::string_view& line) {
    const auto tab = std::min(line.find('\t'), line.size());
    const auto column = line.substr(0, tab);
    line.remove_prefix(std::min(tab + 1, line.size()));
    return column;
}

}  // namespace

std::optional<std::map<std::string, std::string>> parse_manifest(std::string_view text) {
    std::map<std::string, std::string> checksums;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return std::nullopt;  // cut short
        auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line.empty()) continue;
        const auto name = take_column(line);
        const auto checksum = take_column(line);
        if (name.empty() || !is_checksum(checksum)) return std::nullopt;
        if (!checksums.emplace(name, checksum).second) return std::nullopt;
    }
    return checksums;
}

}  // namespace jaild::model
