#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "core/base/error.h"

namespace jaild::kernel {

/// May this directory of the host be a jail's root? It is never written to, so it must have the
/// directories `mount_points`.
/// Errc::invalid with field /root/path: "root_path_missing", "path_refused" (it is /, or holds or lies in the state
/// directory, by any name), "path_root_incomplete". Blocking.
Result<void> check_path_root(const std::filesystem::path& path, const std::filesystem::path& state,
                             std::span<const std::string_view> mount_points);

/// The same of a directory that is open already, whatever its path leads to by now: Errc::invalid "path_refused" when
/// it is /, the state directory, or one above that. Blocking.
Result<void> check_open_root(int directory, const std::filesystem::path& state);

/// It neither holds nor lies in the state directory, by any name: Errc::invalid "path_refused". One that is missing is
/// judged by what is there of its way. Blocking.
Result<void> check_apart(const std::filesystem::path& path, const std::filesystem::path& state);

/// Without symbolic links, as mounting wants it; as given where it is not there now.
std::filesystem::path canonical_path_root(const std::filesystem::path& path);

}  // namespace jaild::kernel
