#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "core/base/copy_tree.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/model/jail.h"

/// A stopped jail's tree as its programs see it, for a template: whole, whatever kind its root is. Blocking.
namespace jaild::kernel::jail_tree {

struct Source {
    JailId id;
    model::RootSpec root;
    std::optional<model::JailBase> base{};  ///< of a `thin` one: where its shared parts are
};

using GoOn = std::function<bool(const files::CopyTotals&)>;

/// Fills the open and empty directory `target`, which must be out of anybody's reach: the jail's own tree, and of a
/// `thin` one what it shares with its template. As copy_tree(); a hard link between two shared directories becomes a
/// file of its own. Errc::conflict "root_not_made" for a jail that never started; Errc::invalid as check_open_root()
/// for a `path` one.
Result<files::CopyTotals> copy(const std::filesystem::path& state, const Source& source, int target, const GoOn& go_on);

/// Takes away what says which jail a tree was: /etc/hostname, /etc/resolv.conf, /etc/hostid, jaild's lines of
/// /etc/hosts; /etc/machine-id becomes empty, which machine-id(5) wants of an image. Keys of the jail's own services
/// stay. Blocking, for the copy that nobody uses yet.
Result<void> forget_identity(int tree);

}  // namespace jaild::kernel::jail_tree
