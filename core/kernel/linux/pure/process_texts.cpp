#include "core/kernel/linux/pure/process_texts.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace jaild::kernel::proc {
namespace {

std::vector<std::string_view> words(std::string_view text) {
    constexpr std::string_view kSpace = " \t\n";
    std::vector<std::string_view> found;
    for (;;) {
        const auto begin = text.find_first_not_of(kSpace);
        if (begin == std::string_view::npos) return found;
        text.remove_prefix(begin);
        const auto end = std::min(text.find_first_of(kSpace), text.size());
        found.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

template <class Number>
bool read(std::string_view text, Number& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
}

/// What is behind "Uid:" and its like.
std::vector<std::string_view> line_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        if (text.starts_with(key)) return words(text.substr(key.size(), end - key.size()));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return {};
}

}  // namespace

std::optional<Stat> parse_stat(std::string_view text) {
    // The name may hold anything: the fields are counted behind its last parenthesis.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
    const auto fields = words(text.substr(close + 1));
    constexpr std::size_t kFirst = 3;  // the number that proc(5) gives to the first of them
    const auto field = [&fields](std::size_t number) { return fields[number - kFirst]; };
    if (fields.size() < 24 - kFirst + 1) return std::nullopt;
    Stat stat{.name = std::string(text.substr(open + 1, close - open - 1)), .state = field(3).front()};
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    if (!read(field(4), stat.parent) || !read(field(14), user) || !read(field(15), system) ||
        !read(field(22), stat.started_ticks) || !read(field(24), stat.resident_pages))
        return std::nullopt;
    stat.cpu_ticks = user + system;
    return stat;
}

std::string_view state_name(char state) {
    switch (state) {
        case 'R':
            return "running";
        case 'S':
            return "sleeping";
        case 'D':
            return "waiting";
        case 'T':
        case 't':
            return "stopped";
        case 'Z':
        case 'X':
            return "zombie";
        default:
            return "idle";
    }
}

std::optional<Status> parse_status(std::string_view text) {
    const auto uids = line_of(text, "Uid:");
    const auto pids = line_of(text, "NSpid:");
    Status status;
    if (uids.size() < 2 || pids.empty() || !read(uids[1], status.uid) || !read(pids.back(), status.inner_pid))
        return std::nullopt;
    status.nested = pids.size() > 1;
    return status;
}

std::string command_of(std::string_view cmdline, std::string_view name) {
    while (cmdline.ends_with('\0')) cmdline.remove_suffix(1);
    if (cmdline.empty()) return "[" + std::string(name) + "]";
    std::string command(cmdline);
    std::ranges::replace(command, '\0', ' ');
    return command;
}

bool is_in_group(std::string_view cgroup_file, std::string_view group) {
    const auto path = ":/" + std::string(group);
    for (auto at = cgroup_file.find(path); at != std::string_view::npos; at = cgroup_file.find(path, at + 1)) {
        const auto behind = cgroup_file.substr(at + path.size());
        if (behind.starts_with('\n') || behind.starts_with('/')) return true;
    }
    return false;
}

}  // namespace jaild::kernel::proc
