#pragma once

#include <string>
#include <vector>

/// Rulesets of devfs(8) for jails that are shown more devices than usual. Pure.
namespace jaild::kernel::freebsd {

/// Rulesets are the whole system's, and their numbers nobody's. A rule that is applied to a mount without one counts
/// for the devices that are there at that moment only (DEVFSIO_RAPPLY in devfs_rule.c), not for the next tun(4). So
/// each set of rules has a number made of what it says: jails that ask for the same share it, nothing has to be
/// remembered, and what is found under a number is compared before it is used.
inline constexpr int kDeviceRulesets = 28'000;  ///< the first of the numbers
inline constexpr int kDeviceRulesetCount = 4'000;

/// Where the ruleset that adds these paths to those of `base` is, or the `attempt`-th place after it when that is
/// somebody else's.
int device_ruleset(int base, const std::vector<std::string>& paths, int attempt);

}  // namespace jaild::kernel::freebsd
