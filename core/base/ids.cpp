#include "core/base/ids.h"

#include <algorithm>
#include <limits>

#include "core/base/ascii.h"
#include "core/base/random.h"

namespace jaild {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::uint64_t kBase = 36;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

}  // namespace

Result<InstanceId> InstanceId::parse(std::string_view text) {
    const bool good = text.size() == kLength && is_lower(text.front()) &&
                      std::ranges::all_of(text, [](char c) { return is_lower(c) || is_digit(c); });
    if (!good)
        return std::unexpected(
            Error::invalid("invalid_instance", "", "an instance id is 5 of a-z and 0-9, a letter first"));
    return InstanceId(std::string(text));
}

InstanceId InstanceId::generate() {
    std::string text;
    text += static_cast<char>('a' + random_below(26));
    while (text.size() < kLength) text += kDigits[random_below(kBase)];
    return InstanceId(std::move(text));
}

std::string to_base36(std::uint64_t value) {
    std::string text;
    do {
        text += kDigits[value % kBase];
        value /= kBase;
    } while (value != 0);
    std::ranges::reverse(text);
    return text;
}

Result<std::uint64_t> from_base36(std::string_view text) {
    const auto refused = [](const char* why) { return std::unexpected(Error::invalid("invalid_number", "", why)); };
    if (text.empty()) return refused("an empty number");
    // One spelling for each value: names made of them are compared as text.
    if (text.size() > 1 && text.front() == '0') return refused("a base-36 number with a leading zero");
    std::uint64_t value = 0;
    for (const char c : text) {
        if (!is_lower(c) && !is_digit(c)) return refused("not a lower-case base-36 number");
        const auto digit = static_cast<std::uint64_t>(is_digit(c) ? c - '0' : c - 'a' + 10);
        if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / kBase)
            return refused("a base-36 number beyond 64 bits");
        value = value * kBase + digit;
    }
    return value;
}

}  // namespace jaild
