#include "core/reconcile/last_words.h"

#include <unistd.h>

#include <deque>
#include <string_view>

#include "core/base/utf8.h"
#include "core/kernel/shim/protocol/log_format.h"

namespace jaild::reconcile {
namespace {

/// More than kLines of them, most often.
constexpr off_t kTail = 8 * 1024;

std::string tail_of(int file) {
    const auto size = ::lseek(file, 0, SEEK_END);
    if (size <= 0) return {};
    const auto from = size > kTail ? size - kTail : 0;
    std::string text(static_cast<std::size_t>(size - from), '\0');
    const auto got = ::pread(file, text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    // The first one is a piece of a line.
    if (from > 0) text.erase(0, text.find('\n') == std::string::npos ? text.size() : text.find('\n') + 1);
    return text;
}

std::string shown(std::string_view line) {
    const auto record = shim::parse_record(line);
    return readable_line(record ? record->text : line, LastWords::kLineBytes);
}

}  // namespace

std::string last_lines(int log) {
    const auto text = tail_of(log);
    std::deque<std::string> lines;
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = rest.find('\n');
        if (const auto line = rest.substr(0, end); !line.empty()) lines.push_back(shown(line));
        if (lines.size() > LastWords::kLines) lines.pop_front();
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    std::string all;
    for (const auto& line : lines) all += (all.empty() ? "" : " | ") + line;
    return all;
}

}  // namespace jaild::reconcile
