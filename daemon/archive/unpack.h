#pragma once

#include <functional>

#include "core/base/error.h"
#include "core/templates/archive/entry_rules.h"
#include "core/templates/archive/report.h"

namespace jaild::archive {

using Tell = std::function<void(const Report&)>;

/// Unpacks the archive on `descriptor` (tar, compressed or not, of any length) into the working directory, where
/// other archives of the same template may have been unpacked before: each entry is judged before it is made.
/// Ownership by number, modes, times, hard links, holes, ACLs, attributes and file flags are kept. `tell` gets a Count
/// now and then. Errors: as parse_line() knows them.
Result<Done> unpack(int descriptor, const Limits& limits, const Tell& tell);

}  // namespace jaild::archive
