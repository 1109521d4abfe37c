#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/rctl_rules.h"

/// rctl_add_rule(2) and its like. Blocking, any thread.
namespace jaild::kernel::freebsd::rctl {

/// kern.racct.enable, which only the loader sets. Errc::unsupported "limits_unsupported" with remedy.
Result<void> supported();
/// That match `filter`: filter_text().
Result<std::vector<JailRule>> rules(const std::string& filter);
/// `rule`: rule_text().
Result<void> add(const std::string& rule);
/// All that match; none: success.
Result<void> remove(const std::string& filter);

}  // namespace jaild::kernel::freebsd::rctl
