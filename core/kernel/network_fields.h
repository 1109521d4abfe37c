#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/model/network.h"

/// What a network may ask of the host's own interfaces. Pure.
namespace jaild::kernel {

/// An interface that a network names, as the host has it.
struct HostInterface {
    std::string name;
    bool bridge = false;
    bool ours = false;  ///< of this installation
    bool loopback = false;
    unsigned mtu = 0;
    std::vector<Prefix> addresses;  ///< its own, without link-local ones
    bool routed = false;            ///< a route of the host's goes by it
    std::string master{};           ///< the bridge that it is a member of
};
/// Nothing: the host has none of that name.
using FindInterface = std::function<Result<std::optional<HostInterface>>(const std::string& name)>;

/// Of a network that is still to be made: empty.
std::string own_bridge_name(const InstanceId& instance, const model::Network& network);

/// Errc::invalid: "interface_not_found"; "interface_unsuitable" for one that cannot be what it is named for;
/// "mtu_too_large", "mtu_mismatch"; of a bridge of the host's "gateway_unknown", when it is not the gateway and nobody
/// else is named.
/// Errc::conflict: "address_in_use", when a jail could be given an address that a bridge of the host's has;
/// "interface_in_use" for an uplink by which this host has its own network, or that is on another bridge
/// than `own_bridge`, the network's.
Result<void> check_network(const model::Network& network, const std::string& own_bridge, const FindInterface& find);
/// The part of it that is about the uplink.
Result<void> check_uplink(const model::Network& network, const std::string& own_bridge, const FindInterface& find);

/// For an interface that a network names and the host does not have.
Error interface_not_found(const std::string& name, const char* field);
/// Errc::unsupported "unsupported_network_field".
Error unsupported_field(const char* field, std::string detail, std::string remedy);

/// For a jail's link: its network's bridge, the host's own, is gone. Errc::not_found.
Error bridge_not_found(const std::string& name);

}  // namespace jaild::kernel
