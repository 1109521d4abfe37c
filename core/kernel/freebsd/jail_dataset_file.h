#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/base/error.h"

/// The file `dataset` in the directory of a jail or of a template names the dataset that its root is on.
namespace jaild::kernel::freebsd {

/// Nothing: the root is a directory.
Result<std::optional<std::string>> dataset_in(const std::filesystem::path& directory);
/// On disk when it returns. `directory` is open.
Result<void> write_dataset(int directory, const std::string& name);

}  // namespace jaild::kernel::freebsd
