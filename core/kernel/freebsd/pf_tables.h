#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

/// Tables of pf(4) in an anchor, by its ioctls: a pfctl(8) for each of some hundred tables would take seconds.
/// Blocking, any thread.
namespace jaild::kernel::freebsd::pf_tables {

/// Puts these members in the place of those that it has, in one step: true. False where there is no such table.
Result<bool> replace(const std::string& anchor, const std::string& table, const std::vector<Prefix>& members);
/// Sorted. Errc::not_found where there is no such table.
Result<std::vector<Prefix>> members(const std::string& anchor, const std::string& table);

}  // namespace jaild::kernel::freebsd::pf_tables
