#pragma once

#include <vector>

#include "core/base/ids.h"
#include "core/kernel/freebsd/firewall.h"
#include "core/model/host.h"

/// Lines for `jaildctl doctor` about the network of this machine. Blocking.
namespace jaild::kernel::freebsd {

/// Forwarding, and what IPv6 forwarding does to a host that has its own address by router advertisement.
std::vector<model::Check> check_forwarding();
/// net.link.bridge.pfil_member and pfil_bridge: whether jails on one network pass the packet filter to each other.
model::Check check_bridge_filter();
/// pf and the three anchor lines of its main ruleset.
model::Check check_firewall(FreeBsdFirewall& firewall);
/// A second packet filter that knows nothing of jaild.
model::Check check_ipfw();
/// devd(8) and rc.d/netif configure whatever interface appears, when ifconfig_DEFAULT is set.
model::Check check_devd(const InstanceId& instance);

}  // namespace jaild::kernel::freebsd
