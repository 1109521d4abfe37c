#include "api/http/target.h"

#include <fmt/format.h>

#include <charconv>

#include "core/base/ascii.h"
#include "core/base/utf8.h"

namespace jaild::api {
namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kUnreservedMarks = "-._~";
constexpr std::string_view kSubDelimiters = "!$&'()*+,;=";

/// RFC 3986 §3.3 and §3.4: pchar, "/" and "?", and the percent sign.
bool is_target_character(char c) {
    return is_alphanumeric(c) || kUnreservedMarks.find(c) != std::string_view::npos ||
           kSubDelimiters.find(c) != std::string_view::npos || c == ':' || c == '@' || c == '/' || c == '?' || c == '%';
}

Error bad_target(std::string detail) {
    return {.code = Errc::invalid, .op = "parse_target", .detail = std::move(detail), .reason = "bad_target"};
}

enum class Plus { literal, space };

Result<std::string> decode(std::string_view text, Plus plus) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c != '%') {
            decoded += c == '+' && plus == Plus::space ? ' ' : c;
            continue;
        }
        unsigned value = 0;
        const auto* first = text.data() + i + 1;
        const bool complete = text.size() - i > 2;
        if (!complete || std::from_chars(first, first + 2, value, 16).ptr != first + 2)
            return std::unexpected(bad_target("a percent sign is not followed by two hexadecimal digits"));
        decoded += static_cast<char>(value);
        i += 2;
    }
    if (!is_utf8(decoded))
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "parse_target",
                                     .detail = "the request target is not UTF-8 when decoded",
                                     .reason = "invalid_utf8"});
    return decoded;
}

Result<void> parse_query(std::string_view text, Query& query) {
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto item = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (item.empty()) continue;
        const auto equals = item.find('=');
        auto name = decode(item.substr(0, equals), Plus::space);
        if (!name) return std::unexpected(name.error());
        auto value = decode(equals == std::string_view::npos ? "" : item.substr(equals + 1), Plus::space);
        if (!value) return std::unexpected(value.error());
        query.add(*std::move(name), *std::move(value));
    }
    return {};
}

Result<void> parse_path(std::string_view path, std::vector<std::string>& segments) {
    if (path == "/") return {};
    path.remove_prefix(1);
    segments.reserve(4);
    while (true) {
        const auto end = path.find('/');
        auto segment = decode(path.substr(0, end), Plus::literal);
        if (!segment) return std::unexpected(segment.error());
        segments.push_back(*std::move(segment));
        if (end == std::string_view::npos) return {};
        path.remove_prefix(end + 1);
    }
}

}  // namespace

std::optional<std::string_view> Query::find(std::string_view name) const {
    for (const auto& [key, value] : items_)
        if (key == name) return value;
    return std::nullopt;
}

Result<bool> Query::flag(std::string_view name, bool otherwise) const {
    const auto value = find(name);
    if (!value) return otherwise;
    if (*value == "true") return true;
    if (*value == "false") return false;
    return std::unexpected(invalid_parameter(name, "must be true or false"));
}

Result<std::int64_t> Query::number(std::string_view name, std::int64_t otherwise, std::int64_t low,
                                   std::int64_t high) const {
    const auto value = find(name);
    if (!value) return otherwise;
    std::int64_t number = 0;
    const auto* end = value->data() + value->size();
    const auto parsed = std::from_chars(value->data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || number < low || number > high)
        return std::unexpected(invalid_parameter(name, fmt::format("must be a whole number of {} to {}", low, high)));
    return number;
}

Result<Target> parse_target(std::string_view text) {
    Target target;
    if (text == "*") {
        target.asterisk = true;
        return target;
    }
    if (text.starts_with(kHttp)) {
        text.remove_prefix(kHttp.size());
        const auto end = text.find_first_of("/?");
        target.authority = text.substr(0, end);
        text.remove_prefix(target.authority.size());
        if (target.authority.empty()) return std::unexpected(bad_target("the absolute form has no host"));
        if (text.empty()) text = "/";
    }
    if (!text.starts_with('/')) return std::unexpected(bad_target("the request target does not begin with \"/\""));
    for (const char c : text)
        if (!is_target_character(c))
            return std::unexpected(bad_target("the request target has a character that must be percent-encoded"));
    const auto question = text.find('?');
    if (auto path = parse_path(text.substr(0, question), target.segments); !path) return std::unexpected(path.error());
    if (question != std::string_view::npos)
        if (auto query = parse_query(text.substr(question + 1), target.query); !query)
            return std::unexpected(query.error());
    return target;
}

std::string percent_encode(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        if (is_alphanumeric(c) || kUnreservedMarks.find(c) != std::string_view::npos)
            encoded += c;
        else
            encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return encoded;
}

Error invalid_parameter(std::string_view name, std::string detail) {
    return {.code = Errc::invalid,
            .op = "query",
            .detail = fmt::format("the query parameter \"{}\" {}", name, detail),
            .reason = "invalid_parameter"};
}

}  // namespace jaild::api
