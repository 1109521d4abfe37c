#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/copy_tree.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// A stopped jail's tree as its programs see it, for a template: whole, whatever kind its root is. Blocking.
namespace jaild::kernel::jail_tree {

/// Open trees.
struct Source {
    int root;                                  ///< what the jail has of its own
    int base = -1;                             ///< its template's; of a `thin` one alone
    std::vector<std::string> private_parts{};  ///< as its template lists them
};

using GoOn = std::function<bool(const files::CopyTotals&)>;

/// Fills the open and empty directory `target`, which must be out of anybody's reach: the jail's own tree, and of a
/// `thin` one what it shares with its template. As copy_tree(); a hard link between two shared directories becomes a
/// file of its own.
Result<files::CopyTotals> copy(const Source& source, int target, const GoOn& go_on);

/// The directory of a `path` root. Errc::invalid as check_path_root() and check_open_root().
Result<UniqueFd> open_path_root(const std::filesystem::path& path, const std::filesystem::path& state);

/// Takes away what says which jail a tree was: /etc/hostname, /etc/resolv.conf, /etc/hostid, jaild's lines of
/// /etc/hosts; /etc/machine-id becomes empty, which machine-id(5) wants of an image. Keys of the jail's own services
/// stay. Blocking, for the copy that nobody uses yet.
Result<void> forget_identity(int tree);

}  // namespace jaild::kernel::jail_tree
