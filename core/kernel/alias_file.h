#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/links.h"

/// Which addresses a jail was given on the host's interfaces: `<state>/jails/<id>/aliases.json`, written before each is
/// added and after each is gone, for an address itself has no place for a mark. Blocking.
namespace jaild::kernel {

/// Those of this boot of the host: what an earlier one had is gone, and what the host has now is its own. A file that
/// makes no sense says nothing; what cannot be read now is an Error.
Result<std::vector<Alias>> read_aliases(const std::filesystem::path& jail_directory, const std::string& boot);
Result<void> write_aliases(const std::filesystem::path& jail_directory, const std::string& boot,
                           const std::vector<Alias>& aliases);

}  // namespace jaild::kernel
