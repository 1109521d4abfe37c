#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// What open_beneath is made of; for core/base and its tests.
namespace jaild::files {

/// The components of a relative path; none for ".". Errc::invalid "invalid_path" for one that could lead out of its
/// directory or has two spellings.
Result<std::vector<std::string>> split_relative(const std::filesystem::path& relative);

/// openat(2) of one component after the other, none of which may be a symbolic link. What FreeBSD does, and a Linux
/// without openat2(2).
Result<UniqueFd> open_by_walk(int directory, const std::vector<std::string>& components, int flags, unsigned mode);

/// Opens what an O_PATH descriptor holds, with other flags.
Result<UniqueFd> reopen(int path_only, int flags);

}  // namespace jaild::files
