#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.h"

/// Which unit numbers our cloned interfaces have. ifconfig(8): an interface that is made with an explicit unit is made
/// only if nobody has that unit, and ifmib(4) tells driver and unit whatever the interface is called later. Pure.
namespace jaild::kernel::freebsd {

/// Both ends of a jail's pair of that index, in the vnet's own numbering: "epair20001", "epair20002" … No other
/// interface inside is ours.
std::string pair_driver(unsigned index);
/// The index of the pair that an interface with this driver is an end of.
std::optional<unsigned> parse_pair_driver(std::string_view driver);

/// The names that a network's bridge may have before it is renamed, and its driver afterwards: "bridge20147". The first
/// that nobody has is taken. The same after a crash, so that one without our description yet is known to be ours.
using BridgeDrivers = std::array<std::string, 8>;
BridgeDrivers bridge_drivers(const InstanceId& instance, NetworkId network);
bool is_bridge_driver(const InstanceId& instance, NetworkId network, std::string_view name);

/// The same for the VLAN interface on its uplink: "vlan20147".
BridgeDrivers vlan_drivers(const InstanceId& instance, NetworkId network);
bool is_vlan_driver(const InstanceId& instance, NetworkId network, std::string_view name);

}  // namespace jaild::kernel::freebsd
