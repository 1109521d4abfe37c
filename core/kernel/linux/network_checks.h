#pragma once

#include <vector>

#include "core/base/ids.h"
#include "core/model/host.h"

/// Lines for `jaildctl doctor` about what else is set up in the calling thread's network namespace. Blocking.
namespace jaild::kernel {

/// IPv4 and IPv6 forwarding, and what IPv6 forwarding does to a host that has its own address by router advertisement.
std::vector<model::Check> check_forwarding();
/// br_netfilter sends what goes between two jails of one network through the host's packet filter.
model::Check check_bridge_filter();
/// Somebody else's forward chain that drops what it does not know, as Docker's does.
model::Check check_forward_policy(const InstanceId& instance);

}  // namespace jaild::kernel
