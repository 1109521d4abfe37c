#include "api/http/precondition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/sha256.h"

namespace jaild::api {
namespace {

constexpr std::size_t kMaxKeyBytes = 255;

std::string_view skip_space(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

bool is_tag_character(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7F);
}

/// Takes one entity tag off the front of `text`: empty when there is none.
std::string_view take_tag(std::string_view& text) {
    const auto prefix = text.starts_with("W/") ? std::size_t{2} : 0;
    if (text.size() <= prefix || text[prefix] != '"') return {};
    const auto end = text.find('"', prefix + 1);
    if (end == std::string_view::npos) return {};
    const auto inner = text.substr(prefix + 1, end - prefix - 1);
    if (!std::all_of(inner.begin(), inner.end(), is_tag_character)) return {};
    const auto tag = text.substr(0, end + 1);
    text.remove_prefix(end + 1);
    return tag;
}

/// Adds the tags of one field's value; false when it is no list of them.
bool add_tags(std::string_view value, EntityTags& into) {
    for (value = skip_space(value); !value.empty(); value = skip_space(value)) {
        if (value.front() == ',') {
            value.remove_prefix(1);
            continue;
        }
        const auto tag = take_tag(value);
        if (tag.empty()) return false;
        into.tags.emplace_back(tag);
        value = skip_space(value);
        if (!value.empty() && value.front() != ',') return false;
    }
    return true;
}

std::string_view opaque(std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
}

}  // namespace

bool EntityTags::strongly_match(std::string_view tag) const {
    return any || std::any_of(tags.begin(), tags.end(), [tag](const auto& mine) { return mine == tag; });
}

bool EntityTags::weakly_match(std::string_view tag) const {
    return any ||
           std::any_of(tags.begin(), tags.end(), [tag](const auto& mine) { return opaque(mine) == opaque(tag); });
}

Result<std::optional<EntityTags>> entity_tags(const Request& request, std::string_view field) {
    if (!request.field(field)) return std::nullopt;
    EntityTags found;
    bool good = true;
    std::size_t stars = 0;
    for (const auto& [name, value] : request.fields) {
        if (!equal_ignoring_case(name, field)) continue;
        if (value == "*")
            ++stars;
        else
            good = good && add_tags(value, found);
    }
    found.any = stars == 1;
    // A star stands alone (RFC 9110 §13.1.1).
    if (good && ((stars == 1 && found.tags.empty()) || (stars == 0 && !found.tags.empty()))) return found;
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "precondition",
                                 .detail = fmt::format("{} is neither \"*\" nor a list of entity tags", field),
                                 .reason = "invalid_precondition",
                                 .remedy = "send the ETag as it came, with its quotes"});
}

std::optional<std::int64_t> preferred_wait(const Request& request) {
    for (const auto& [name, value] : request.fields) {
        if (!equal_ignoring_case(name, "Prefer")) continue;
        auto rest = value;
        while (!rest.empty()) {
            const auto end = rest.find(',');
            auto item = skip_space(rest.substr(0, end));
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            if (item.size() < 6 || !equal_ignoring_case(item.substr(0, 5), "wait=")) continue;
            item.remove_prefix(5);
            std::int64_t seconds = 0;
            const auto parsed = std::from_chars(item.data(), item.data() + item.size(), seconds);
            const auto left = item.substr(static_cast<std::size_t>(parsed.ptr - item.data()));
            const bool ends =
                left.find_first_not_of(" \t") == std::string_view::npos || skip_space(left).front() == ';';
            if (parsed.ec == std::errc{} && ends && seconds >= 0) return seconds;
        }
    }
    return std::nullopt;
}

Result<std::string> idempotency_key(const Request& request) {
    constexpr std::string_view kField = "Idempotency-Key";
    const auto value = request.field(kField);
    if (!value) return std::string{};
    const bool visible = std::all_of(value->begin(), value->end(), [](char c) { return c > ' ' && c < '\x7F'; });
    if (request.count(kField) == 1 && visible && !value->empty() && value->size() <= kMaxKeyBytes)
        return std::string(*value);
    return std::unexpected(
        Error{.code = Errc::invalid,
              .op = "idempotency",
              .detail = fmt::format("Idempotency-Key must be 1 to {} visible ASCII characters, once", kMaxKeyBytes),
              .reason = "invalid_idempotency_key"});
}

std::string fingerprint(const Request& request) {
    return to_hex(sha256(fmt::format("{} {}\n{}", to_string(request.method), request.raw_target, request.body)));
}

}  // namespace jaild::api
