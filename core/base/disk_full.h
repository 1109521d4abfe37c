#pragma once

#include <filesystem>

#include "core/base/error.h"

namespace jaild {

/// The error as Errc::exhausted "disk_full", which says what can be removed. `place`: a path in that file system;
/// without one, the state directory's is meant. Blocking.
Error as_disk_full(Error error, const std::filesystem::path& place = {});
/// The same of ENOSPC and EDQUOT; any other Error as it is.
Error or_disk_full(Error error, const std::filesystem::path& place = {});

}  // namespace jaild
