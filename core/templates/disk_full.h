#pragma once

#include <filesystem>

#include "core/base/error.h"

namespace jaild::templates {

/// `error` as it is; or when it says that there is no room, Errc::exhausted "disk_full" with what to free in the file
/// system of `place`. Blocking.
Error or_disk_full(Error error, const std::filesystem::path& place);

}  // namespace jaild::templates
