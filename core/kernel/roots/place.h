#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// Entries of a held directory whose content may be hostile: the root of a jail belongs to its root user. Whatever has
/// the name is replaced, and never followed. `name` has no slash. Owner root; modes are set exactly. Blocking.
namespace jaild::kernel::place {

/// Opens the directory, made when missing; what is no directory gives way. One that is there keeps its mode and
/// content.
Result<UniqueFd> directory(int parent, const std::string& name, unsigned mode);
/// By a temporary name and rename(2). Not synced: for what is made anew at each start, or confirmed by a later
/// fsync(2).
Result<void> file(int parent, const std::string& name, std::string_view content, unsigned mode);
/// A symbolic link; one that is right already stays.
Result<void> link(int parent, const std::string& name, const std::string& target);

}  // namespace jaild::kernel::place
