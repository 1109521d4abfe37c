#include "core/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace jaild {
namespace {

/// Length of the sequence that begins with `lead`, and the bounds of its second byte (RFC 3629 §4); 0: no lead byte.
struct Sequence {
    std::size_t length;
    unsigned char low;
    unsigned char high;
};

Sequence sequence_of(unsigned char lead) {
    if (lead >= 0xC2 && lead <= 0xDF) return {2, 0x80, 0xBF};
    if (lead == 0xE0) return {3, 0xA0, 0xBF};
    if (lead == 0xED) return {3, 0x80, 0x9F};
    if (lead >= 0xE1 && lead <= 0xEF) return {3, 0x80, 0xBF};
    if (lead == 0xF0) return {4, 0x90, 0xBF};
    if (lead >= 0xF1 && lead <= 0xF3) return {4, 0x80, 0xBF};
    if (lead == 0xF4) return {4, 0x80, 0x8F};
    return {0, 0, 0};
}

bool eight_ascii(const char* bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return (word & 0x8080808080808080U) == 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (text.size() - at >= 8 && eight_ascii(text.data() + at)) {
            at += 8;
            continue;
        }
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x80) {
            ++at;
            continue;
        }
        const auto [length, low, high] = sequence_of(lead);
        if (length == 0 || text.size() - at < length) return false;
        const auto second = static_cast<unsigned char>(text[at + 1]);
        if (second < low || second > high) return false;
        for (std::size_t i = 2; i < length; ++i)
            if ((static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) return false;
        at += length;
    }
    return true;
}

std::string readable_line(std::string_view text, std::size_t bytes) {
    auto line = std::string(text.substr(0, bytes));
    std::ranges::replace_if(
        line, [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; }, '?');
    // The cut may have gone through a character.
    for (int byte = 0; byte < 3 && !line.empty() && !is_utf8(line); ++byte) line.pop_back();
    if (!is_utf8(line))
        std::ranges::replace_if(
            line, [](unsigned char byte) { return byte >= 0x80; }, '?');
    return line;
}

}  // namespace jaild
