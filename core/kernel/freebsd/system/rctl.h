#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
/// How much of a resource a jail uses now, rctl_get_racct(2). Nothing when the kernel does not count, or has no such
/// jail or resource.
std::optional<std::uint64_t> usage(const std::string& jail, std::string_view resource);
/// All that match; none: success.
Result<void> remove(const std::string& filter);

}  // namespace jaild::kernel::freebsd::rctl
