#pragma once

#include <string>
#include <string_view>

namespace jaild {

// Not isalnum(3): what jaild reads does not depend on a locale.

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alphanumeric(char c) {
    return is_digit(c) || is_letter(c);
}

/// Of the letters that is_letter() knows; any other byte stays.
inline std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

/// What somebody wrote, in quotation marks, for a message; the beginning of what is too long for one.
inline std::string in_quotes(std::string_view text) {
    constexpr std::size_t kMost = 80;
    if (text.size() <= kMost) return "\"" + std::string(text) + "\"";
    auto end = kMost;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole UTF-8 characters
    return "\"" + std::string(text.substr(0, end)) + "...\"";
}

}  // namespace jaild
