#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace jaild {

/// RFC 4648 §4, with padding.
std::string base64_encode(std::string_view bytes);
/// Nothing for anything that base64_encode would not write: other characters, white space, missing padding, stray bits.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace jaild
