#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/ids.h"

/// Every name that we give to a kernel object, in one place. Pure.
/// The instance id is 5 characters, so an interface name leaves 8 base-36 digits for the id: "j" + 5 + 8 + 1 = 15.
namespace jaild::kernel {

inline constexpr std::size_t kMaxInterfaceName = 15;  ///< IFNAMSIZ less the NUL, both systems

enum class PairEnd : char { host = 'a', jail = 'b' };

/// "jk3f9a12a": the last letter is 'a' for the host end of a jail's first interface, 'c' for its second one's …, and
/// the next letter for the end inside, which bears that name in its jail only and so never meets a bridge's.
std::string pair_name(const InstanceId& instance, LinkId link, PairEnd end);
/// The interface whose host end that is; nothing for a name that is not ours.
std::optional<LinkId> parse_pair_name(const InstanceId& instance, std::string_view name);
/// "jk3f9a1n"
std::string bridge_name(const InstanceId& instance, NetworkId network);
std::optional<NetworkId> parse_bridge_name(const InstanceId& instance, std::string_view name);
/// "jk3f9a1v": the VLAN interface on a network's uplink.
std::string vlan_name(const InstanceId& instance, NetworkId network);
std::optional<NetworkId> parse_vlan_name(const InstanceId& instance, std::string_view name);
/// The description (FreeBSD) or alias (Linux) that makes an interface ours: "jaild:k3f9a:jail:12",
/// "jaild:k3f9a:network:1".
std::string jail_mark(const InstanceId& instance, JailId jail);
std::string network_mark(const InstanceId& instance, NetworkId network);
/// The mark of a bridge that an interface of the host's was put on: "jaild:k3f9a:network:1 uplink em1". Written before
/// it is, so that whoever comes later knows what to take away again.
std::string bridge_mark(const InstanceId& instance, NetworkId network, const std::string& uplink);
/// The uplink in it, empty without one; nothing for a mark that is not that network's.
std::optional<std::string> parse_bridge_mark(const InstanceId& instance, NetworkId network, std::string_view mark);
std::optional<JailId> parse_jail_mark(const InstanceId& instance, std::string_view mark);
std::optional<NetworkId> parse_network_mark(const InstanceId& instance, std::string_view mark);
/// OCI container and network namespace: "jaild-k3f9a-12".
std::string container_name(const InstanceId& instance, JailId jail);
std::optional<JailId> parse_container_name(const InstanceId& instance, std::string_view name);
/// "jaild/k3f9a/12"
std::string cgroup_path(const InstanceId& instance, JailId jail);
/// "jaild-k3f9a"
std::string nft_table(const InstanceId& instance);
/// "jaild/k3f9a-j12" and "jaild/k3f9a-n1"
std::string jail_anchor(const InstanceId& instance, JailId jail);
std::string network_anchor(const InstanceId& instance, NetworkId network);
/// Locally administered, unicast, stable: "02:…", a hash of instance, jail, interface and end.
std::string mac_address(const InstanceId& instance, LinkId link, PairEnd end);
/// The same for the host's end on a bridge that is not ours: "fe:…". A bridge of Linux whose address nobody set has the
/// lowest of its members', which must not become ours.
std::string high_mac_address(const InstanceId& instance, LinkId link);
/// The same for a bridge, so that its address does not follow its members'.
std::string bridge_mac_address(const InstanceId& instance, NetworkId network);
/// An interface inside a jail, unless its spec names it: "vnet0".
std::string jail_interface(unsigned index);

}  // namespace jaild::kernel
