#include "core/templates/archive/report.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

#include "core/base/base64.h"

namespace jaild::archive {
namespace {

constexpr char kBetween = '\t';

/// What an Error of jaild-archive can be called.
constexpr std::array<std::string_view, 14> kReasons{
    "entry_refused", "archive_unreadable", "archive_damaged", "archive_too_large", "too_many_entries",
    "archive_empty", "disk_full",          "unpack_failed",   "pack_failed",       "archive_incomplete",
    "no_export",     "mount_beneath",      "tree_changing",   "reader_gone"};

constexpr std::size_t kFieldBytes = 1024;

std::string one_field(std::string_view text) {
    std::string field;
    for (const char c : text.substr(0, kFieldBytes)) {
        const auto byte = static_cast<unsigned char>(c);
        field += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return field;
}

std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    while (true) {
        const auto end = line.find(kBetween);
        fields.push_back(line.substr(0, end));
        if (end == std::string_view::npos) return fields;
        line.remove_prefix(end + 1);
    }
}

template <class Number>
bool read_number(std::string_view text, Number& target) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), target);
    return failed == std::errc{} && end == text.data() + text.size();
}

std::optional<Count> parse_count(const std::vector<std::string_view>& fields) {
    Count count;
    const bool good = read_number(fields[1], count.read) && read_number(fields[2], count.bytes) &&
                      read_number(fields[3], count.entries);
    return good ? std::optional(count) : std::nullopt;
}

std::optional<Report> parse_error(const std::vector<std::string_view>& fields) {
    Error error{.code = Errc::kernel, .op = "jaild-archive", .detail = std::string(fields[4])};
    using enum Errc;
    for (const auto code : {invalid, exhausted, denied, busy, not_found, kernel})
        if (to_string(code) == fields[1]) error.code = code;
    for (const auto reason : kReasons)
        if (reason == fields[2]) error.reason = reason;
    if (error.reason.empty() || !read_number(fields[3], error.sys)) return std::nullopt;
    error.remedy = std::string(fields[5]);
    return error;
}

}  // namespace

std::string to_line(const Count& count) {
    return fmt::format("count\t{}\t{}\t{}\n", count.read, count.bytes, count.entries);
}

std::string to_line(const Done& done) {
    return fmt::format("done\t{}\t{}\t{}\t{}\n", done.count.read, done.count.bytes, done.count.entries, done.sha256);
}

std::string to_line(const Warning& warning) {
    return fmt::format("warning\t{}\n", one_field(warning.text));
}

std::string to_line(const Metadata& metadata) {
    return fmt::format("metadata\t{}\n", base64_encode(metadata.text));
}

std::string to_line(const Error& error) {
    return fmt::format("error\t{}\t{}\t{}\t{}\t{}\n", to_string(error.code), error.name(), error.sys,
                       one_field(error.detail), one_field(error.remedy));
}

std::optional<Report> parse_line(std::string_view line) {
    const auto fields = fields_of(line);
    if (fields[0] == "warning" && fields.size() == 2) return Warning{.text = std::string(fields[1])};
    if (fields[0] == "metadata" && fields.size() == 2) {
        auto text = base64_decode(fields[1]);
        return text ? std::optional<Report>(Metadata{.text = *std::move(text)}) : std::nullopt;
    }
    if (fields[0] == "error" && fields.size() == 6) return parse_error(fields);
    const bool done = fields[0] == "done" && fields.size() == 5;
    if (!done && !(fields[0] == "count" && fields.size() == 4)) return std::nullopt;
    const auto count = parse_count(fields);
    if (!count) return std::nullopt;
    if (done) return Done{.count = *count, .sha256 = std::string(fields[4])};
    return *count;
}

}  // namespace jaild::archive
