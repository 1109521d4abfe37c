#include "core/base/tree_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace jaild::files {
namespace {

/// A directory can hold more names than we want in memory: so many subdirectories are taken at a time.
constexpr std::size_t kBatch = 1024;
/// How often a directory is looked through again when somebody goes on changing it.
constexpr int kAttempts = 16;

struct CloseDirectory {
    void operator()(DIR* stream) const { ::closedir(stream); }
};
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace

/// Looks through the current directory again, because somebody changed it; not for ever.
Result<void> TreeWalk::again() {
    auto& level = levels_.back();
    if (++level.attempts > kAttempts) return std::unexpected(moved());
    level.more = true;
    return {};
}

Result<void> TreeWalk::go_on(const Result<TreeVisitor::Next>& next) {
    if (!next) return std::unexpected(next.error());
    return *next == TreeVisitor::Next::again ? again() : Result<void>{};
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
                 .op = visitor_.op(),
                 .sys = EBUSY,
                 .detail = "something is mounted on " + where(name) + ", so nothing beneath it is touched",
                 .reason = "mount_beneath",
                 .remedy = "unmount it"};
}

Error TreeWalk::moved() const {
    return Error{.code = Errc::busy,
                 .op = visitor_.op(),
                 .detail = "somebody moves directories at " + where("") + " meanwhile",
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
        if (replaced && levels_.empty()) return std::unexpected(moved());
        if (replaced) return go_on(visitor_.replaced(directory, name));
        return std::unexpected(Error::from_errno("openat", errno, where(name)));
    }
    const auto identity = identify(fd.get(), "");
    if (!identity) return std::unexpected(identity.error());
    if (identity->mount != mount_) return pass_mount(directory, name, *identity);
    const auto into = visitor_.enter(fd.get(), name);
    if (!into) return std::unexpected(into.error());
    if (*into == TreeVisitor::Into::pass) return {};
    current_ = std::move(fd);
    levels_.push_back(Level{.name = name, .identity = *identity, .scan = *into == TreeVisitor::Into::contents});
    return levels_.back().scan ? scan() : Result<void>{};
}

Result<void> TreeWalk::pass_mount(int directory, const std::string& name, const EntryIdentity& identity) {
    const auto passed = visitor_.mount(directory, name, identity.directory);
    if (!passed) return std::unexpected(passed.error());
    return *passed ? Result<void>{} : std::unexpected(mounted(name));
}

Result<void> TreeWalk::scan_entry(const dirent& entry) {
    const std::string name = entry.d_name;
    auto& level = levels_.back();
    const auto identity = identify(current_.get(), name);
    if (!identity) {
        if (identity.error().sys == ENOENT) return {};
        return std::unexpected(identity.error());
    }
    if (identity->mount != mount_) return pass_mount(current_.get(), name, *identity);
    if (identity->directory) {
        level.pending.push_back(name);
        return {};
    }
    return go_on(visitor_.entry(current_.get(), name));
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
        if (name == "." || name == ".." || (!visitor_.removes() && seen < level.passed)) continue;
        if (level.pending.size() == kBatch) {
            level.passed = seen;
            level.more = true;
            return {};
        }
        if (auto done = scan_entry(*entry); !done) return done;
    }
}

/// Back to the parent of a directory that is done.
Result<void> TreeWalk::leave() {
    if (auto done = visitor_.leave(current_.get()); !done) return done;
    const auto done = std::move(levels_.back());
    levels_.pop_back();
    if (levels_.empty()) return {};
    UniqueFd parent(::openat(current_.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!parent) return std::unexpected(cannot_go_on("openat", errno));
    const auto identity = identify(parent.get(), "");
    if (!identity) return std::unexpected(identity.error());
    if (*identity != levels_.back().identity) return std::unexpected(moved());
    current_ = std::move(parent);
    return go_on(visitor_.left(current_.get(), done.name));
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
        } else {
            step = leave();
        }
        if (!step) return step;
    }
    return {};
}

}  // namespace jaild::files
