#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// Does this ruleset of devfs(8) hide all devices before it shows some? One that was never loaded is empty, and one
/// that only unhides hides nothing: a devfs with either shows every device of the host. So does one that includes such
/// a one by way of another: the kernel follows one step (vfs.devfs.rule_depth). Errc::unsupported
/// "devfs_ruleset_missing", "devfs_ruleset_open", with remedy. Blocking, any thread.
Result<void> check_ruleset(int ruleset);

/// kRulesetWithBpf, where it is not there yet: the kernel forgets it at its end, and no file says it. Errc::conflict
/// "devfs_ruleset_taken" when that number is somebody else's; Errc::unsupported "devfs_ruleset_missing" as above.
/// Idempotent; blocking, any thread.
Result<void> make_bpf_ruleset();

/// A ruleset that shows what `base` shows and `devices` (model::JailSpec::devices) besides, made where it is not there
/// yet; its number. Errc::unsupported "devfs_ruleset_missing" when `base` is empty; Errc::conflict
/// "devfs_ruleset_taken" when all numbers tried are somebody else's. Idempotent; blocking, any thread.
Result<int> make_device_ruleset(int base, const std::vector<std::string>& devices);

}  // namespace jaild::kernel::freebsd
