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

/// Asked once, with what the archive says of the jail, before anything is made: an Error ends it.
using Accept = std::function<Result<void>(const Metadata&)>;

/// The same for what pack() wrote: the jail's tree becomes the working directory, which is empty. Errc::invalid
/// "no_export" for any other archive; "archive_incomplete" for one whose end is missing, "archive_damaged" for one that
/// its checksum does not fit, both after it was unpacked.
Result<Done> unpack_jail(int descriptor, const Limits& limits, const Accept& accept, const Tell& tell);

}  // namespace jaild::archive
