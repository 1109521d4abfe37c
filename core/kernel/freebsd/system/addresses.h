#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/freebsd/system/interfaces.h"

namespace jaild::kernel::freebsd {

/// Makes an interface's addresses of these families exactly these; link-local ones stay. IPv6 has to be on there.
/// Blocking.
Result<void> set_addresses(const Interface& interface, const std::vector<Prefix>& wanted,
                           const std::vector<Family>& families = {Family::ipv4, Family::ipv6});

/// One more; Errc::not_found when the interface is gone. The same address there with another length: EEXIST or EINVAL.
Result<void> add_address(const std::string& interface, const Prefix& prefix);
/// One that is not there: success.
Result<void> remove_address(const std::string& interface, const IpAddress& address);

/// What became of duplicate address detection, in6_var.h.
enum class Readiness { ready, tentative, duplicated };
/// Of an address of IPv6.
Result<Readiness> readiness(const std::string& interface, const IpAddress& address);

}  // namespace jaild::kernel::freebsd
