#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/clock.h"
#include "core/base/units.h"

namespace jaild::cli {
namespace {

std::size_t width(const std::string& text) {
    const auto continues = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; };
    return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

}  // namespace

Table::Table(std::vector<std::string> header) {
    rows_.push_back(std::move(header));
}

void Table::add(std::vector<std::string> row) {
    rows_.push_back(std::move(row));
}

std::string Table::to_string() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
            widths[i] = std::max(widths[i], width(row[i]));
    std::string text;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
        }
        while (line.ends_with(' ')) line.pop_back();
        text += line + '\n';
    }
    return text;
}

std::string printable(const std::string& text) {
    std::string safe;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto value = static_cast<unsigned char>(text[at]);
        const auto next = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0U;
        // C0 and DEL; C1 as UTF-8 has it, which some terminals obey as well.
        const bool second = value == 0xC2 && next >= 0x80 && next < 0xA0;
        safe += (value < 0x20 && value != '\t') || value == 0x7F || second ? '?' : text[at];
        if (second) ++at;
    }
    return safe;
}

std::string age(const std::string& since) {
    const auto then = UtcTime::parse(since);
    if (!then) return {};
    const auto seconds = std::max<std::int64_t>(0, (Clock::system().utc().milliseconds - then->milliseconds) / 1000);
    if (seconds < 60) return fmt::format("{}s", seconds);
    if (seconds < 60 * 60) return fmt::format("{}m", seconds / 60);
    if (seconds < 24 * 60 * 60) return fmt::format("{}h", seconds / 3600);
    return fmt::format("{}d", seconds / 86400);
}

std::string size_text(const nlohmann::json& value) {
    if (!value.is_number()) return "-";
    const auto bytes = value.get<double>();
    if (bytes < 1024.0 * 1024) return fmt::format("{:.0f}K", bytes / 1024);
    if (bytes < 1024.0 * 1024 * 1024) return fmt::format("{:.1f}M", bytes / 1024 / 1024);
    return fmt::format("{:.2f}G", bytes / 1024 / 1024 / 1024);
}

}  // namespace jaild::cli
