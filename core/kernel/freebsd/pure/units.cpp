#include "core/kernel/freebsd/pure/units.h"

#include <algorithm>
#include <cstdint>

namespace jaild::kernel::freebsd {
namespace {

// if_clone(9): units go up to IF_MAXUNIT, 0x7fff; one above is ENOSPC. Small ones are what people and rc.conf(5) use.
constexpr std::uint64_t kFirstUnit = 1'000;
constexpr std::uint64_t kUnits = 0x7fff - kFirstUnit;
constexpr unsigned kFirstPair = 20'001;

/// FNV-1a (draft-eastlake-fnv).
std::uint64_t hash(const std::string& text) {
    std::uint64_t value = 0xcbf29ce484222325U;
    for (const char c : text) {
        value ^= static_cast<unsigned char>(c);
        value *= 0x100000001b3U;
    }
    return value ^ (value >> 33U);
}

BridgeDrivers drivers(const std::string& kind, const InstanceId& instance, NetworkId network) {
    const auto first = hash(instance.text() + ":network:" + std::to_string(network.value));
    BridgeDrivers names;
    // A stride that depends on the network: two that meet once do not meet again.
    const auto stride = 1 + first / kUnits % 97;
    for (std::uint64_t at = 0; at < names.size(); ++at)
        names[at] = kind + std::to_string(kFirstUnit + (first + at * stride) % kUnits);
    return names;
}

}  // namespace

std::string pair_driver(unsigned index) {
    return "epair" + std::to_string(kFirstPair + index);
}

std::optional<unsigned> parse_pair_driver(std::string_view driver) {
    for (unsigned index = 0; index < kMaxInterfaces; ++index)
        if (driver == pair_driver(index)) return index;
    return std::nullopt;
}

BridgeDrivers bridge_drivers(const InstanceId& instance, NetworkId network) {
    return drivers("bridge", instance, network);
}

bool is_bridge_driver(const InstanceId& instance, NetworkId network, std::string_view name) {
    return std::ranges::count(bridge_drivers(instance, network), name) != 0;
}

BridgeDrivers vlan_drivers(const InstanceId& instance, NetworkId network) {
    return drivers("vlan", instance, network);
}

bool is_vlan_driver(const InstanceId& instance, NetworkId network, std::string_view name) {
    return std::ranges::count(vlan_drivers(instance, network), name) != 0;
}

}  // namespace jaild::kernel::freebsd
