#include "core/kernel/freebsd/pure/units.h"

#include <cstdint>

namespace jaild::kernel::freebsd {
namespace {

// if_clone(9): units go up to IF_MAXUNIT, 0x7fffff. Small ones are what people and rc.conf(5) use.
constexpr std::uint64_t kFirstUnit = 1'000'000;
constexpr std::uint64_t kUnits = 0x7fffff - kFirstUnit;

}  // namespace

std::string bridge_driver(const InstanceId& instance, NetworkId network) {
    // FNV-1a (draft-eastlake-fnv). Two networks on one unit would only mean that the second cannot be made.
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : instance.text() + ":network:" + std::to_string(network.value)) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    hash ^= hash >> 33U;
    return "bridge" + std::to_string(kFirstUnit + hash % kUnits);
}

}  // namespace jaild::kernel::freebsd
