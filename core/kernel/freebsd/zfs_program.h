#pragma once

#include <string>

#include "core/base/error.h"
#include "core/base/spawn.h"

namespace jaild::kernel::freebsd {

/// Runs zfs(8) for at most a minute: its standard output. Errc::kernel "zfs_failed" with what it said. Blocking.
Result<std::string> run_zfs(const Argv& argv);
/// What zfs(8) said, in lower-level words: "already exists".
bool says(const Error& error, std::string_view words);

}  // namespace jaild::kernel::freebsd
