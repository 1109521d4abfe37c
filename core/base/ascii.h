#pragma once

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

}  // namespace jaild
