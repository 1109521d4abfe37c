#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "core/base/error.h"

namespace jaild::files {

/// A tree at a glance.
struct TreeMark {
    std::uint64_t entries = 0;  ///< of all kinds, the top directory too
    std::uint64_t bytes = 0;    ///< of files; those of hard links once
    /// The same for as long as nothing is made, written, changed or removed: names, modes and owners of everything;
    /// number, size and time of the last change (ctime, which nobody sets) of what is no directory. A file that comes
    /// and goes again leaves it as it was.
    std::uint64_t mark = 0;
};

/// Looks through the open directory `tree`; nothing is read but inodes. What lies beneath the top's directories `aside`
/// counts, but does not show in the mark. Blocking, any thread. Errc::busy "mount_beneath", "tree_changing";
/// "interrupted" when `go_on` says so, which is asked before each entry.
Result<TreeMark> mark_tree(int tree, const std::set<std::string>& aside, const std::function<bool()>& go_on);

}  // namespace jaild::files
