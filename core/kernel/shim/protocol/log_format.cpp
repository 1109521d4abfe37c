#include "core/kernel/shim/protocol/log_format.h"

namespace jaild::shim {
namespace {

constexpr std::size_t kTime = 24;  // UtcTime::to_string()

}  // namespace

std::string format_record(UtcTime at, LogStream stream, bool goes_on, std::string_view text) {
    std::string record = at.to_string();
    record.reserve(kLogPrefix + text.size() + 1);
    record += ' ';
    record += static_cast<char>(stream);
    record += goes_on ? '+' : ' ';
    record += text;
    record += '\n';
    return record;
}

std::optional<LogRecord> parse_record(std::string_view line) {
    if (line.size() < kLogPrefix || line[kTime - 1] != 'Z' || line[kTime] != ' ') return std::nullopt;
    const char stream = line[kTime + 1];
    const char mark = line[kTime + 2];
    if ((stream != 'O' && stream != 'E' && stream != 'J') || (mark != ' ' && mark != '+')) return std::nullopt;
    return LogRecord{.time = line.substr(0, kTime),
                     .stream = static_cast<LogStream>(stream),
                     .goes_on = mark == '+',
                     .text = line.substr(kLogPrefix)};
}

std::string LogText::feed(std::string_view bytes) {
    partial_ += bytes;
    std::string out;
    std::size_t begin = 0;
    for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n', begin)) {
        const auto line = std::string_view(partial_).substr(begin, end - begin);
        const auto record = parse_record(line);
        out += record ? record->text : line;
        if (!record || !record->goes_on) out += '\n';
        begin = end + 1;
    }
    partial_.erase(0, begin);
    return out;
}

}  // namespace jaild::shim
