#pragma once

#include <filesystem>

#include "core/base/error.h"
#include "core/kernel/jails.h"

/// The hint of what was last done to a jail: `<state>/jails/<id>/applied.json`, mode 0600. Blocking.
namespace jaild::kernel {

/// A missing one, or one that is no such file, is a default Applied. What cannot be read now is an Error.
Result<Applied> read_applied(const std::filesystem::path& jail_directory);
Result<void> write_applied(const std::filesystem::path& jail_directory, const Applied& applied);

}  // namespace jaild::kernel
