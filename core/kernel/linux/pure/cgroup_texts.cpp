#include "core/kernel/linux/pure/cgroup_texts.h"

#include <algorithm>
#include <charconv>

namespace jaild::kernel::cgroups {
namespace {

/// From here on v1 means "no limit": LONG_MAX, rounded down to a page, whose size differs.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

template <class Number>
std::optional<Number> whole(std::string_view text) {
    Number value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// What stands before the next `end`, taken off `text` with it.
std::string_view next(std::string_view& text, char end) {
    const auto at = std::min(text.find(end), text.size());
    const auto word = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return word;
}

}  // namespace

std::optional<std::uint64_t> number_in(std::string_view text) {
    return whole<std::uint64_t>(next(text, '\n'));
}

std::optional<std::uint64_t> limit_in(std::string_view text) {
    const auto limit = number_in(text);
    return limit && *limit < kNoLimit ? limit : std::nullopt;
}

std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        auto line = next(text, '\n');
        if (next(line, ' ') == key) return whole<std::uint64_t>(line);
    }
    return std::nullopt;
}

bool has_word(std::string_view text, std::string_view word) {
    auto line = next(text, '\n');
    while (!line.empty())
        if (next(line, ' ') == word) return true;
    return false;
}

std::vector<std::int64_t> pids_in(std::string_view text) {
    std::vector<std::int64_t> pids;
    while (!text.empty())
        if (const auto pid = whole<std::int64_t>(next(text, '\n')); pid && *pid > 0) pids.push_back(*pid);
    return pids;
}

DiskCounters blkio_in(std::string_view text) {
    DiskCounters sum;
    while (!text.empty()) {
        auto line = next(text, '\n');
        next(line, ' ');  // the device; a last line, "Total 4096", has none
        const auto way = next(line, ' ');
        const auto value = whole<std::uint64_t>(line).value_or(0);
        if (way == "Read") sum.read += value;
        if (way == "Write") sum.written += value;
    }
    return sum;
}

DiskCounters io_stat_in(std::string_view text, std::string_view what) {
    DiskCounters sum;
    while (!text.empty()) {
        auto line = next(text, '\n');
        next(line, ' ');  // the device
        while (!line.empty()) {
            auto value = next(line, ' ');
            const auto key = next(value, '=');
            if (key.empty() || key.substr(1) != what) continue;
            if (key.front() == 'r') sum.read += whole<std::uint64_t>(value).value_or(0);
            if (key.front() == 'w') sum.written += whole<std::uint64_t>(value).value_or(0);
        }
    }
    return sum;
}

}  // namespace jaild::kernel::cgroups
