#pragma once

#include <string>

#include "core/base/error.h"

/// Bridged packets before the hooks of family inet: br_netfilter, for one bridge at a time. Blocking; in the network
/// namespace of the calling thread.
namespace jaild::kernel::bridge_filter {

/// The kernel has it now.
[[nodiscard]] bool present();
/// Loads the module, and sets back at once what that turns on for every bridge of the host. Errc::unsupported
/// "firewall_not_enforceable".
Result<void> load();
/// IFLA_BR_NF_CALL_IPTABLES and …IP6TABLES of one bridge.
Result<void> enable(const std::string& bridge);

}  // namespace jaild::kernel::bridge_filter
