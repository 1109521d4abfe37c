#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace jaild::files {

/// What a copy has done so far.
struct CopyTotals {
    std::uint64_t entries = 0;  ///< of all kinds, the top directory too
    std::uint64_t bytes = 0;    ///< of files' contents as they are read; a hard link's and a hole's count nothing
    std::uint64_t left_out = 0;
    std::vector<std::string> first_left_out{};  ///< the first few, relative to the tree
};

/// What is done where something is mounted on a place of the tree.
enum class MountsBeneath {
    refuse,
    leave_out,  ///< an empty directory is made for it, owner root and mode 0755; nothing for a file
};

struct CopyOptions {
    /// Directories, relative to the tree, of which only themselves are made: their contents are left to others.
    std::set<std::string> outlines{};
    MountsBeneath mounts = MountsBeneath::refuse;
    /// Asked before each entry and after each few megabytes of a file; false ends the copy with Errc::busy
    /// "interrupted".
    std::function<bool(const CopyTotals&)> go_on{};
};

/// Makes the open and empty directory `target` what the open directory `source` is. Blocking, any thread.
///
/// Kept are owner, mode, times, hard links within the tree, holes, and what programs attach: on Linux extended
/// attributes with POSIX ACLs and capabilities, on FreeBSD ACLs, extended attributes of the user namespace and file
/// flags. Contents share their blocks where the file system can (FICLONE, copy_file_range(2)). Sockets, behind which
/// nobody would listen, and devices, which a jail has from its own devfs, are left out and counted.
///
/// Whoever controls `source` may rename and replace everything meanwhile: no link is followed, no device or FIFO
/// opened, no mount crossed (Errc::busy "mount_beneath"; "tree_changing" where the copy would not be one). `target`
/// must be out of anybody's reach. It is of use only after success: a copy that ended early (Errc::exhausted: no space,
/// no quota) leaves what it made, for empty_directory() or remove_tree(). Nothing is synced.
Result<CopyTotals> copy_tree(int source, int target, const CopyOptions& options = {});

}  // namespace jaild::files
