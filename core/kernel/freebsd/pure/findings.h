#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/host.h"

/// Lines of `jaildctl doctor` out of what was read of a FreeBSD host. Pure.
namespace jaild::kernel::freebsd::findings {

/// kern.features.vimage
model::Check vimage(bool on);

/// "absent": the kernel is built without; "off": kern.racct.enable is 0.
enum class Racct { absent, off, on };
model::Check racct(Racct found);

enum class Module { missing, loadable, present };
model::Check module(std::string_view name, Module found);

/// kern.securelevel; nothing where modules can still be loaded.
std::optional<model::Check> securelevel(int level);

/// A sysctl that is 0 or 1, and the variable of rc.conf(5) that sets it at boot.
struct Forwarding {
    const char* check;   ///< "ipv4_forwarding"
    const char* sysctl;  ///< "net.inet.ip.forwarding"
    const char* rc_variable;
};
inline constexpr Forwarding kForwarding4{"ipv4_forwarding", "net.inet.ip.forwarding", "gateway_enable"};
inline constexpr Forwarding kForwarding6{"ipv6_forwarding", "net.inet6.ip6.forwarding", "ipv6_gateway_enable"};
/// No value: this kernel has no such sysctl.
model::Check forwarding(const Forwarding& what, std::optional<int> value);

/// if_bridge(4): packets between its members, and those from a member to the host, pass the packet filter there.
inline constexpr const char* kFilterMembers = "net.link.bridge.pfil_member";
inline constexpr const char* kFilterLocal = "net.link.bridge.pfil_local_phys";
/// At boot sysctl.conf(5) is read again when the modules of kld_list are there.
inline constexpr const char* kFilterBridges =
    "sysctl net.link.bridge.pfil_member=1 net.link.bridge.pfil_local_phys=1; to keep it: sysrc kld_list+=if_bridge, "
    "and both settings as lines of /etc/sysctl.conf";
/// What of the two is on.
model::Check bridge_filter(bool members, bool local);

/// `value` of ifconfig_DEFAULT, and the interfaces of the host that have an address and so may owe it to that.
model::Check devd(std::string_view value, std::span<const std::string> interfaces);

/// Can devd(8) be listened to? Else nothing says when a limit was met.
model::Check breaches(const Result<void>& listening);

/// Is ipfw(4) on? Packets pass both filters, and jaild writes pf(4)'s rules only.
model::Check ipfw(bool on);

}  // namespace jaild::kernel::freebsd::findings
