#include "core/kernel/freebsd/pure/device_rules.h"

#include <cstdint>
#include <string_view>

namespace jaild::kernel::freebsd {
namespace {

/// FNV-1a, which is the same in every process.
class Hash {
public:
    void add(std::string_view text) {
        for (const char c : text) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
        value_ *= 0x100000001b3U;  // the end of a text
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace

int device_ruleset(int base, const std::vector<std::string>& paths, int attempt) {
    Hash hash;
    hash.add(std::to_string(base));
    for (const auto& path : paths) hash.add(path);
    const auto first = static_cast<int>((hash.value() >> 16) % kDeviceRulesetCount);
    return kDeviceRulesets + (first + attempt) % kDeviceRulesetCount;
}

}  // namespace jaild::kernel::freebsd
