#pragma once

#include <filesystem>

#include "core/base/error.h"

namespace jaild::kernel {

/// May this directory of the host be a jail's root? It is never written to, so it must have what the runtime mounts on.
/// Errc::invalid with field /root/path: "root_path_missing", "path_refused" (it is /, or holds or lies in the state
/// directory, by any name), "path_root_incomplete". Blocking.
Result<void> check_path_root(const std::filesystem::path& path, const std::filesystem::path& state);

/// Without symbolic links, as mounting wants it; as given where it is not there now.
std::filesystem::path canonical_path_root(const std::filesystem::path& path);

}  // namespace jaild::kernel
