#include "core/kernel/freebsd/pure/pf_text.h"

#include <algorithm>
#include <charconv>

#include "core/base/ascii.h"
#include "core/kernel/names.h"

namespace jaild::kernel::freebsd::pf {

std::vector<std::string_view> lines(std::string_view text) {
    std::vector<std::string_view> found;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (line.starts_with(' ')) line.remove_prefix(1);
        while (line.ends_with(' ')) line.remove_suffix(1);
        if (!line.empty()) found.push_back(line);
    }
    return found;
}

std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return value;
}

bool is_plain(std::string_view name) {
    return !name.empty() && name.size() <= kMaxInterfaceName &&
           std::ranges::all_of(name, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.'; });
}

std::uint64_t number_after(std::string_view line, std::string_view title) {
    auto at = line.find(title);
    if (at == std::string_view::npos) return 0;
    at = line.find_first_not_of(' ', at + title.size());
    if (at == std::string_view::npos) return 0;
    std::uint64_t value = 0;
    std::from_chars(line.data() + at, line.data() + line.size(), value);
    return value;
}

}  // namespace jaild::kernel::freebsd::pf
