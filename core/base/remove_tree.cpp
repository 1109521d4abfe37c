#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "core/base/files.h"
#include "core/base/tree_entry.h"

namespace jaild::files {
namespace {

/// A directory can hold more names than we want in memory: so many subdirectories are taken at a time.
constexpr std::size_t kBatch = 1024;
/// How often a directory is emptied again when somebody goes on filling it.
constexpr int kAttempts = 16;

enum class Pass { look, remove };

struct CloseDirectory {
    void operator()(DIR* stream) const { ::closedir(stream); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

/// One level of the descent. No descriptor: the way back up is "..", checked against `identity`.
struct Level {
    std::string name;
    EntryIdentity identity;
    std::vector<std::string> pending{};  ///< subdirectories still to be entered
    std::size_t passed = 0;              ///< entries that earlier batches of Pass::look dealt with
    bool more = false;                   ///< entries are left beyond this batch
    int attempts = 0;
};

/// A walk over a tree that holds one directory open at a time, whatever its depth. Whoever controls the tree may rename
/// and replace everything while we walk: each directory is entered by name without following links, and must be on
/// the mount where the walk began.
class TreeWalk {
public:
    TreeWalk(Pass pass, std::uint64_t mount) : pass_(pass), mount_(mount) {}
    /// Enters `name` of `directory`; the caller removes `name` itself.
    Result<void> run(int directory, const std::string& name);

private:
    Result<void> enter(int directory, const std::string& name);
    Result<void> scan();
    Result<void> scan_entry(const dirent& entry);
    Result<void> leave();
    Result<void> remove(const std::string& name, int flags);
    Result<void> again();
    [[nodiscard]] std::string where(const std::string& name) const;
    [[nodiscard]] Error mounted(const std::string& name) const;
    [[nodiscard]] Error moved() const;
    [[nodiscard]] Error cannot_go_on(std::string_view op, int saved) const;

    Pass pass_;
    std::uint64_t mount_;
    UniqueFd current_;
    std::vector<Level> levels_;
};

/// unlinkat(2), once more without the entry's file flags when the first try was refused. ENOENT is success.
Result<void> unlink(int directory, const std::string& name, int flags) {
    if (::unlinkat(directory, name.c_str(), flags) == 0 || errno == ENOENT) return {};
    const int saved = errno;
    if (saved == EPERM || saved == EACCES) {
        const auto cleared = clear_flags(directory, name);
        if (cleared && *cleared && (::unlinkat(directory, name.c_str(), flags) == 0 || errno == ENOENT)) return {};
    }
    return std::unexpected(Error::from_errno("unlinkat", saved, name));
}

/// The same within the tree, where the directory itself can be what is immutable.
Result<void> TreeWalk::remove(const std::string& name, int flags) {
    auto removed = unlink(current_.get(), name, flags);
    if (!removed && (removed.error().sys == EPERM || removed.error().sys == EACCES)) {
        const auto cleared = clear_flags(current_.get(), ".");
        if (cleared && *cleared) removed = unlink(current_.get(), name, flags);
    }
    if (!removed && removed.error().sys == EBUSY) return std::unexpected(mounted(name));
    return removed;
}

/// Looks through the current directory again, because somebody changed it; not for ever.
Result<void> TreeWalk::again() {
    auto& level = levels_.back();
    if (++level.attempts > kAttempts) return std::unexpected(moved());
    level.more = true;
    return {};
}

std::string TreeWalk::where(const std::string& name) const {
    // Only the ends of a deep path: an Error is for a person.
    constexpr std::size_t kShown = 8;
    std::string path;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
        if (i == kShown && levels_.size() > 2 * kShown) {
            path += "…/";
            i = levels_.size() - kShown;
        }
        path += levels_[i].name + "/";
    }
    return path + name;
}

Error TreeWalk::mounted(const std::string& name) const {
    return Error{.code = Errc::busy,
                 .op = "remove_tree",
                 .sys = EBUSY,
                 .detail = "something is mounted on " + where(name) + ", so nothing beneath it is removed",
                 .reason = "mount_beneath",
                 .remedy = "unmount it"};
}

Error TreeWalk::moved() const {
    return Error{.code = Errc::busy,
                 .op = "remove_tree",
                 .detail = "somebody moves directories at " + where("") + " while they are removed",
                 .reason = "tree_changing"};
}

/// Why the current directory cannot be read or left. FreeBSD has neither entries nor "." and ".." in one that somebody
/// has removed.
Error TreeWalk::cannot_go_on(std::string_view op, int saved) const {
    return saved == ENOENT ? moved() : Error::from_errno(op, saved, where(""));
}

Result<void> TreeWalk::enter(int directory, const std::string& name) {
    UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) {
        if (errno == ENOENT) return {};
        const bool replaced = errno == ENOTDIR || errno == ELOOP || errno == EMLINK;
        // It was a directory a moment ago. To Pass::look it is harmless now; Pass::remove comes back for it.
        if (replaced && levels_.empty()) return std::unexpected(moved());
        if (replaced) return pass_ == Pass::remove ? again() : Result<void>{};
        return std::unexpected(Error::from_errno("openat", errno, where(name)));
    }
    const auto identity = identify(fd.get(), "");
    if (!identity) return std::unexpected(identity.error());
    if (identity->mount != mount_) return std::unexpected(mounted(name));
    current_ = std::move(fd);
    levels_.push_back(Level{.name = name, .identity = *identity});
    return scan();
}

Result<void> TreeWalk::scan_entry(const dirent& entry) {
    const std::string name = entry.d_name;
    auto& level = levels_.back();
    const auto identity = identify(current_.get(), name);
    if (!identity) {
        if (identity.error().sys == ENOENT) return {};
        return std::unexpected(identity.error());
    }
    if (identity->mount != mount_) return std::unexpected(mounted(name));
    if (identity->directory) {
        level.pending.push_back(name);
        return {};
    }
    if (pass_ == Pass::look) return {};
    auto removed = remove(name, 0);
    if (!removed && (removed.error().sys == EISDIR || removed.error().sys == EPERM)) {
        // Somebody put a directory in its place?
        const auto now = identify(current_.get(), name);
        if (now && now->directory) return again();
    }
    return removed;
}

Result<void> TreeWalk::scan() {
    auto& level = levels_.back();
    level.more = false;
    const int fd = ::openat(current_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return std::unexpected(cannot_go_on("openat", errno));
    const DirectoryStream stream(::fdopendir(fd));
    if (!stream) {
        const int saved = errno;
        ::close(fd);
        return std::unexpected(cannot_go_on("fdopendir", saved));
    }
    for (std::size_t seen = 0;; ++seen) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr) {
            if (errno != 0) return std::unexpected(cannot_go_on("readdir", errno));
            return {};
        }
        const std::string_view name = entry->d_name;
        // What Pass::look has seen is still there; what Pass::remove has seen is gone.
        if (name == "." || name == ".." || (pass_ == Pass::look && seen < level.passed)) continue;
        if (level.pending.size() == kBatch) {
            level.passed = seen;
            level.more = true;
            return {};
        }
        if (auto done = scan_entry(*entry); !done) return done;
    }
}

/// Back to the parent of a directory that is done, and with Pass::remove away with it.
Result<void> TreeWalk::leave() {
    const auto done = std::move(levels_.back());
    levels_.pop_back();
    UniqueFd parent(::openat(current_.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!parent) return std::unexpected(cannot_go_on("openat", errno));
    const auto identity = identify(parent.get(), "");
    if (!identity) return std::unexpected(identity.error());
    if (*identity != levels_.back().identity) return std::unexpected(moved());
    current_ = std::move(parent);
    if (pass_ == Pass::look) return {};
    auto removed = remove(done.name, AT_REMOVEDIR);
    // Filled or replaced meanwhile.
    const int saved = removed ? 0 : removed.error().sys;
    if (saved == ENOTEMPTY || saved == EEXIST || saved == ENOTDIR) return again();
    return removed;
}

Result<void> TreeWalk::run(int directory, const std::string& name) {
    if (auto entered = enter(directory, name); !entered) return entered;
    while (!levels_.empty()) {
        auto& level = levels_.back();
        Result<void> step;
        if (!level.pending.empty()) {
            const auto next = std::move(level.pending.back());
            level.pending.pop_back();
            step = enter(current_.get(), next);
        } else if (level.more) {
            step = scan();
        } else if (levels_.size() == 1) {
            return {};
        } else {
            step = leave();
        }
        if (!step) return step;
    }
    return {};
}

}  // namespace

Result<void> remove_tree(int directory, const std::string& name) {
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos)
        return std::unexpected(
            Error::invalid("invalid_path", "", "\"" + name + "\" is not a name within its directory"));
    const auto home = identify(directory, "");
    if (!home) return std::unexpected(home.error());
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const auto root = identify(directory, name);
        if (!root && root.error().sys == ENOENT) return {};
        if (!root) return std::unexpected(root.error());
        if (root->mount != home->mount)
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "remove_tree",
                                         .sys = EBUSY,
                                         .detail = "something is mounted on " + name,
                                         .reason = "mount_beneath",
                                         .remedy = "unmount it"});
        if (!root->directory) return unlink(directory, name, 0);
        for (const auto pass : {Pass::look, Pass::remove}) {
            if (auto walked = TreeWalk(pass, home->mount).run(directory, name); !walked) return walked;
        }
        auto removed = unlink(directory, name, AT_REMOVEDIR);
        if (removed || (removed.error().sys != ENOTEMPTY && removed.error().sys != EEXIST)) return removed;
    }
    return std::unexpected(Error{.code = Errc::busy,
                                 .op = "remove_tree",
                                 .detail = "somebody goes on filling " + name + " while it is removed",
                                 .reason = "tree_changing"});
}

}  // namespace jaild::files
