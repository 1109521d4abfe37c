#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jaild {

/// True for well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

/// At most so many bytes of what some program wrote, for people: valid UTF-8, control characters as "?".
std::string readable_line(std::string_view text, std::size_t bytes);

}  // namespace jaild
