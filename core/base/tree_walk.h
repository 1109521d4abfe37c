#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/tree_entry.h"
#include "core/base/unique_fd.h"

struct dirent;

/// The walk over a tree that remove_tree and copy_tree share; for core/base.
namespace jaild::files {

/// What is done on the way. Descriptors are the walk's, and valid for the call only.
class TreeVisitor {
public:
    /// A directory that was just opened: its entries are walked through; or it is left at once; or it is passed as if
    /// it were not there, without leave() and left().
    enum class Into { contents, nothing, pass };
    /// again: somebody changed the directory, so it is looked through once more.
    enum class Next { on, again };

    virtual ~TreeVisitor() = default;
    /// For errors: "remove_tree".
    [[nodiscard]] virtual std::string_view op() const = 0;
    /// True when what was visited is gone afterwards, so that a directory is read from its begin each time.
    [[nodiscard]] virtual bool removes() const { return false; }
    virtual Result<Into> enter(int /*directory*/, const std::string& /*name*/) { return Into::contents; }
    /// Anything but a directory, a symbolic link too; on the mount of the walk a moment ago.
    virtual Result<Next> entry(int directory, const std::string& name) = 0;
    /// It was a directory a moment ago, and is none now.
    virtual Result<Next> replaced(int /*parent*/, const std::string& /*name*/) { return Next::on; }
    /// Something is mounted on `name`, so that the walk does not go there. False: then it ends, Errc::busy
    /// "mount_beneath".
    virtual Result<bool> mount(int /*parent*/, const std::string& /*name*/, bool /*directory*/) { return false; }
    /// The end of a directory, still open; the walk's first one too.
    virtual Result<void> leave(int /*directory*/) { return {}; }
    /// Back in its parent; never for the walk's first one.
    virtual Result<Next> left(int /*parent*/, const std::string& /*name*/) { return Next::on; }
};

/// A walk that holds one directory open at a time, whatever its depth. Whoever controls the tree may rename and replace
/// everything while we walk: each directory is entered by name without following links, and must be on the mount where
/// the walk began; the way back up is "..", checked. Errc::busy "mount_beneath" names a mount, "tree_changing" a place
/// where somebody moves directories.
class TreeWalk {
public:
    TreeWalk(TreeVisitor& visitor, std::uint64_t mount) : visitor_(visitor), mount_(mount) {}
    /// Walks through `name` of `directory`, which can be ".".
    Result<void> run(int directory, const std::string& name);
    /// For a person: the path of `name` in the current directory, only the ends of a deep one.
    [[nodiscard]] std::string where(const std::string& name) const;
    [[nodiscard]] Error mounted(const std::string& name) const;
    [[nodiscard]] Error moved() const;

private:
    /// One level of the descent. No descriptor: see above.
    struct Level {
        std::string name;
        EntryIdentity identity;
        std::vector<std::string> pending{};  ///< subdirectories still to be entered
        std::size_t passed = 0;              ///< entries that earlier batches dealt with
        bool more = false;                   ///< entries are left beyond this batch
        bool scan = true;
        int attempts = 0;
    };

    Result<void> enter(int directory, const std::string& name);
    Result<void> scan();
    Result<void> scan_entry(const dirent& entry);
    Result<void> leave();
    Result<void> go_on(const Result<TreeVisitor::Next>& next);
    Result<void> again();
    Result<void> pass_mount(int directory, const std::string& name, const EntryIdentity& identity);
    [[nodiscard]] Error cannot_go_on(std::string_view op, int saved) const;

    TreeVisitor& visitor_;
    std::uint64_t mount_;
    UniqueFd current_;
    std::vector<Level> levels_;
};

}  // namespace jaild::files
