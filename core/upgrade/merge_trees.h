#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

/// What an upgrade makes of a jail's /etc. Blocking, any thread.
namespace jaild::upgrade {

/// Open directories.
struct Trees {
    int base;    ///< /etc of the template that the jail was made from
    int theirs;  ///< of the template that it is upgraded to
    int ours;    ///< of the jail, written by its own root, who may even change it meanwhile
};

/// Why both changes cannot be had.
enum class Reason {
    text,                 ///< both changed the same lines
    binary,               ///< both changed it, and it is no text
    too_large,            ///< both changed it, and it is too large to be merged
    link,                 ///< a symbolic link that both changed
    kind,                 ///< a file here, a directory or a link there
    removed_by_jail,      ///< and changed by the template
    removed_by_template,  ///< and changed by the jail
};
std::string_view to_string(Reason reason);

struct Conflict {
    std::string path;  ///< relative to /etc; what bytes a jail's root likes, but for NUL
    Reason reason;
    std::string written{};  ///< where the new template's lies, "motd.new"; empty: it has none, or all names are taken
    bool operator==(const Conflict&) const = default;
};

/// Counts entries: files, directories, links. What nobody changed is in none of them.
struct MergeReport {
    std::uint64_t updated = 0;   ///< as the new template has it: its content, or its owner or mode
    std::uint64_t merged = 0;    ///< text, from both
    std::uint64_t added = 0;     ///< by the template
    std::uint64_t removed = 0;   ///< by the template
    std::uint64_t kept = 0;      ///< as the jail has it; a directory that only the jail has counts as one
    std::uint64_t left_out = 0;  ///< the jail's sockets and devices
    std::uint64_t conflicted = 0;
    std::vector<Conflict> conflicts{};  ///< the first ones, sorted by path
    bool operator==(const MergeReport&) const = default;
};

struct MergeOptions {
    /// Relative paths of files that are made from others later. As all whose name ends with ".db": where both changed
    /// one, the jail's stays for now, and that is no conflict.
    std::set<std::string> derived{};
    std::uint64_t max_text = 4 << 20;     ///< bytes of a file that is merged by lines
    std::uint64_t max_entries = 1 << 18;  ///< that are looked at, of all trees: Errc::exhausted "tree_too_large"
    std::size_t max_conflicts = 1'000;    ///< that are listed; all are counted
    std::function<bool()> go_on{};        ///< asked before each entry; false: Errc::busy "interrupted"
};

/// Makes the open and empty directory `target` what three trees merge into. The same trees always give the same result.
///
///     base→ours     base→theirs   result
///     unchanged     unchanged     ours
///     unchanged     changed       theirs; one that is new is added, one that is gone goes
///     changed       unchanged     ours; what only the jail has stays, what it removed stays removed
///     the same change of both     ours
///     changed       changed       text: merged by lines (merge_text), of passwd and its like by records
///                                 (merge_records); else a conflict
///     changed       removed       conflict: ours
///     removed       changed       conflict: stays removed
///
/// "Changed" is another kind of entry, content or target of a link; owner, group and mode are merged each for itself,
/// and the jail's change wins. Times, attributes, ACLs, flags and hard links come with the content; a merged text has
/// the jail's, and the later time. Directories are gone through; one that the template or the jail removed is there as
/// long as something is in it, and one that the template replaces goes likewise, or is a conflict.
///
/// A conflict leaves the jail's in place and puts the template's beside it as NAME.new, whole and unchanged. Where that
/// name is taken: a NAME.new that is what the old template has as NAME is one that a former upgrade wrote and nobody
/// touched, and is replaced; any other stays, and NAME.new2 to NAME.new9 are tried.
///
/// No link is followed, no device or FIFO opened, no mount crossed (Errc::busy "mount_beneath"; "tree_changing" where
/// `ours` changes too much to be read). Errc::exhausted "tree_too_deep" for templates' directories in more than 32
/// others. `target` must be out of the jail's reach, and is of use only after success. Nothing is synced.
Result<MergeReport> merge_trees(const Trees& trees, int target, const MergeOptions& options = {});

/// The report that merge_trees would give, and its errors but for those of writing. Directories that only the jail has
/// are not looked into. Nothing is written.
Result<MergeReport> try_merge_trees(const Trees& trees, const MergeOptions& options = {});

}  // namespace jaild::upgrade
