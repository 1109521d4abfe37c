#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/limits.h"

/// `openfiles` of rctl(8), per process, as RLIMIT_NOFILE (setrlimit(2)): each program of a jail has what its process 1
/// has, from which the runtime, whoever attaches another and whoever looks learn it.
namespace jaild::kernel::file_limits {

inline constexpr std::string_view kResource = "openfiles";

/// What programs have where nobody asked for anything; never beyond the daemon's own, which it may not be allowed to
/// raise.
rlimit usual();
/// What was asked for, or the usual.
rlimit wanted(const model::Limits& limits);
/// Nothing: it does not live.
std::optional<rlimit> of(std::int64_t pid);

/// In force, as a rule; nothing for what is usual. Pure.
std::optional<model::LimitRule> rule_of(const rlimit& there, const rlimit& usual, const model::Limits& asked);
/// Errc::unsupported "limits_unsupported", Errc::invalid "invalid_value" (beyond fs.nr_open, say), with their fields.
Result<void> check(const model::Limit& limit);

/// For all processes of a control group ("jaild/k3f9a/12"), and those that these start meanwhile. `members`: its pids
/// now. Process 1 is the last, so that a look at it does not show what is half done. A process that has more files
/// open keeps them. Errc::busy when new ones keep coming.
Result<void> set(const std::string& group, const std::function<Result<std::vector<std::int64_t>>()>& members,
                 const rlimit& limit);
/// Of those; nothing when it is not there.
std::optional<std::int64_t> process_1(const std::vector<std::int64_t>& members);

}  // namespace jaild::kernel::file_limits
