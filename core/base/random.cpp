#include "core/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <vector>

namespace jaild {

void fill_random(void* buffer, std::size_t bytes) {
    auto* at = static_cast<unsigned char*>(buffer);
    while (bytes > 0) {
        const auto got = ::getrandom(at, bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) std::abort();
        at += got;
        bytes -= static_cast<std::size_t>(got);
    }
}

std::uint64_t random_below(std::uint64_t bound) {
    if (bound == 0) std::abort();
    // Values of the incomplete last run of `bound` are drawn again, or the low ones would come more often.
    const auto limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;
    for (;;) {
        std::uint64_t value = 0;
        fill_random(&value, sizeof value);
        if (value < limit) return value % bound;
    }
}

std::string random_hex(std::size_t bytes) {
    static constexpr char kHexDigits[] = "0123456789abcdef";
    std::vector<unsigned char> raw(bytes);
    fill_random(raw.data(), raw.size());
    std::string text;
    for (const auto byte : raw) {
        text += kHexDigits[byte >> 4];
        text += kHexDigits[byte & 15];
    }
    return text;
}

}  // namespace jaild
