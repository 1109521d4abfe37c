#pragma once

#include <filesystem>

#include "core/base/error.h"

namespace jaild::daemon {

/// Makes the state directory (0700) when it is missing, and gives its real path. Errc::denied "state_directory_unsafe"
/// when somebody else owns it or may write to it. Blocking.
Result<std::filesystem::path> open_state_directory(const std::filesystem::path& path);

/// Where jaild-shim and jaild-pause are: beside this program in a build, else in ../libexec/jaild of its prefix.
Result<std::filesystem::path> helper_directory();

}  // namespace jaild::daemon
