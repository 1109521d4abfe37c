#pragma once

#include <filesystem>
#include <string>

#include "core/base/error.h"

namespace jaild::daemon {

/// Makes the state directory (0700) when it is missing, and gives its real path. Errc::denied "state_directory_unsafe"
/// when somebody else owns it or may write to it, or could put another in its place: to every directory above it only
/// root and we may write, but for sticky ones. Blocking.
Result<std::filesystem::path> open_state_directory(const std::filesystem::path& path);

/// What the database is bound to: this machine and this very directory (its inode, which mv(1) keeps), so that a copy
/// is known for one, on the same machine too. Blocking.
Result<std::string> state_identity(const std::filesystem::path& state_directory);

/// Where jaild-shim and jaild-pause are: beside this program in a build, else in ../libexec/jaild of its prefix.
Result<std::filesystem::path> helper_directory();

/// jaild-archive, beside those two; empty where it is not installed: then no template can be imported.
std::filesystem::path archive_program(const std::filesystem::path& helpers);

}  // namespace jaild::daemon
