#include "core/model/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace jaild::model {

using nlohmann::json;

std::string pointer(std::string_view parent, std::string_view token) {
    std::string result(parent);
    result += '/';
    for (const char c : token) {
        if (c == '~') {
            result += "~0";
        } else if (c == '/') {
            result += "~1";
        } else {
            result += c;
        }
    }
    return result;
}

std::string pointer(std::string_view parent, std::size_t index) {
    return pointer(parent, std::to_string(index));
}

namespace {

Result<void> check_length(std::string_view text, std::size_t limit, const std::string& at) {
    if (text.size() <= limit) return {};
    return std::unexpected(Error::invalid("too_long", at, "longer than " + std::to_string(limit) + " bytes"));
}

}  // namespace

Result<void> check_text(std::string_view text, std::size_t limit, const std::string& at) {
    if (auto fits = check_length(text, limit, at); !fits) return fits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        // C1 (U+0080 … U+009F, in UTF-8 0xC2 and one more) moves cursors as C0 does: it has no place on a terminal.
        const bool c1 = byte == 0xc2 && next >= 0x80 && next <= 0x9f;
        if (byte < 0x20 || byte == 0x7f || c1)
            return std::unexpected(
                Error::invalid("invalid_value", at, "a control character at byte " + std::to_string(i)));
    }
    return {};
}

Error wrong_type(const std::string& at, std::string_view wanted) {
    return Error::invalid("wrong_type", at, "must be " + std::string(wanted));
}

Error too_many(const std::string& at, std::size_t limit) {
    return Error::invalid("too_many", at, "holds more than " + std::to_string(limit));
}

Result<std::string> read_text(const json& value, const std::string& at, std::size_t limit) {
    if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
    const auto& text = value.get_ref<const std::string&>();
    if (auto good = check_text(text, limit, at); !good) return std::unexpected(good.error());
    return text;
}

Result<std::string> read_program_text(const json& value, const std::string& at, std::size_t limit) {
    if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
    const auto& text = value.get_ref<const std::string&>();
    if (auto fits = check_length(text, limit, at); !fits) return std::unexpected(fits.error());
    if (text.find('\0') != std::string::npos)
        return std::unexpected(Error::invalid("invalid_value", at, "a NUL character"));
    return text;
}

Fields::Fields(const json& value, std::string at) : value_(value), at_(std::move(at)) {
    if (!value.is_object()) fail(wrong_type(at_, "an object"));
}

void Fields::fail(Error error) {
    if (!error_) error_ = std::move(error);
}

const json* Fields::find(std::string_view key) {
    if (error_) return nullptr;
    if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
    const auto found = value_.find(key);
    return found == value_.end() ? nullptr : &*found;
}

bool Fields::has(std::string_view key) {
    return find(key) != nullptr;
}

void Fields::require(std::string_view key) {
    if (!has(key)) fail(Error::invalid("missing_field", at(key), "\"" + std::string(key) + "\" is missing"));
}

void Fields::boolean(std::string_view key, bool& target) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return fail(wrong_type(at(key), "true or false"));
    target = value->get<bool>();
}

void Fields::text(std::string_view key, std::string& target, std::size_t limit) {
    const auto* value = find(key);
    if (value == nullptr) return;
    auto text = read_text(*value, at(key), limit);
    if (!text) return fail(std::move(text.error()));
    target = *std::move(text);
}

void Fields::program_text(std::string_view key, std::string& target, std::size_t limit) {
    read(key, [&](const json& value, const std::string& at) -> Result<void> {
        auto text = read_program_text(value, at, limit);
        if (!text) return std::unexpected(text.error());
        target = *std::move(text);
        return {};
    });
}

void Fields::read(std::string_view key, const std::function<Result<void>(const json&, const std::string&)>& parse) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (auto parsed = parse(*value, at(key)); !parsed) fail(std::move(parsed.error()));
}

void Fields::each(std::string_view key, std::size_t limit,
                  const std::function<Result<void>(const json&, const std::string&)>& parse) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return fail(wrong_type(at(key), "an array"));
    if (value->size() > limit) return fail(too_many(at(key), limit));
    for (std::size_t i = 0; i < value->size(); ++i)
        if (auto parsed = parse((*value)[i], pointer(at(key), i)); !parsed) return fail(std::move(parsed.error()));
}

void Fields::entries(std::string_view key, std::size_t limit,
                     const std::function<Result<void>(const std::string&, const json&, const std::string&)>& parse) {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (!value->is_object()) return fail(wrong_type(at(key), "an object"));
    if (value->size() > limit) return fail(too_many(at(key), limit));
    for (const auto& [name, entry] : value->items())
        if (auto parsed = parse(name, entry, pointer(at(key), name)); !parsed) return fail(std::move(parsed.error()));
}

Result<void> Fields::done() {
    if (!error_) {
        for (const auto& [name, ignored] : value_.items()) {
            if (std::ranges::find(known_, name) != known_.end()) continue;
            std::string known;
            for (const auto& key : known_) known += (known.empty() ? "" : ", ") + key;
            fail(Error::invalid("unknown_field", at(name), "no such field; there are " + known));
            break;
        }
    }
    if (error_) return std::unexpected(*error_);
    return {};
}

}  // namespace jaild::model
