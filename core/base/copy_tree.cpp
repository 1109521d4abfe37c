#include "core/base/copy_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <map>
#include <utility>

#include "core/base/copy_entry.h"
#include "core/base/files.h"
#include "core/base/path_walk.h"
#include "core/base/tree_walk.h"

namespace jaild::files {
namespace {

constexpr std::size_t kShownLeftOut = 8;
constexpr mode_t kModeBits = 07777;

class TreeCopy : public TreeVisitor {
public:
    TreeCopy(int top, UniqueFd target, std::uint64_t mount, const CopyOptions& options)
        : walk_(*this, mount), options_(options), top_(top), target_(std::move(target)) {}
    Result<CopyTotals> run(int source);

    [[nodiscard]] std::string_view op() const override { return "copy_tree"; }
    Result<Into> enter(int directory, const std::string& name) override;
    Result<Next> entry(int directory, const std::string& name) override;
    Result<Next> replaced(int, const std::string&) override { return Next::again; }
    Result<bool> mount(int parent, const std::string& name, bool directory) override;
    Result<void> leave(int directory) override;
    Result<Next> left(int parent, const std::string& name) override;

private:
    /// Whether an entry was made; not when an earlier look at a changing directory had made it.
    using Made = Result<bool>;

    Made file(int held, const std::string& name, const struct stat& seen);
    Made link(const std::string& original, const std::string& name, const struct stat& seen);
    Made symbolic_link(int directory, const std::string& name, const struct stat& seen);
    Made fifo(int held, const std::string& name, const struct stat& seen);
    Result<Next> left_out(const std::string& name);
    Result<void> dress(int from, int to, const struct stat& seen);
    Result<void> dress_by_name(const std::string& name, const struct stat& seen);
    [[nodiscard]] bool go_on() const { return !options_.go_on || options_.go_on(totals_); }
    [[nodiscard]] std::string path(const std::string& name) const { return path_.empty() ? name : path_ + "/" + name; }
    [[nodiscard]] Error failed(std::string_view op, const std::string& name) const;
    [[nodiscard]] Error about(Error error, const std::string& name) const;
    [[nodiscard]] static Error interrupted();

    TreeWalk walk_;
    const CopyOptions& options_;
    int top_;          ///< of the copy; held by the caller
    UniqueFd target_;  ///< where the current directory is copied to
    std::vector<EntryIdentity> targets_{};
    std::string path_{};  ///< of the current directory, relative to the tree
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> links_{};  ///< device and inode: the first copy
    ContentCopier contents_{};
    CopyTotals totals_{};
};

Error TreeCopy::about(Error error, const std::string& name) const {
    error.detail = walk_.where(name) + ": " + error.detail;
    if (error.code == Errc::exhausted) error.remedy = "free space, or raise the quota, where the copy is made";
    return error;
}

Error TreeCopy::failed(std::string_view op, const std::string& name) const {
    return about(Error::from_errno(op, errno), name);
}

Error TreeCopy::interrupted() {
    return Error{
        .code = Errc::busy, .op = "copy_tree", .detail = "the copy was ended before its end", .reason = "interrupted"};
}

/// Everything but the flags, which can forbid what comes before them. chown(2) takes setuid and capabilities away,
/// chmod(2) can change an ACL: so in this order.
Result<void> TreeCopy::dress(int from, int to, const struct stat& seen) {
    if (::fchown(to, seen.st_uid, seen.st_gid) != 0) return std::unexpected(Error::from_errno("fchown", errno));
    if (::fchmod(to, seen.st_mode & kModeBits) != 0) return std::unexpected(Error::from_errno("fchmod", errno));
    if (auto done = copy_attached(from, to); !done) return done;
    const std::array times{seen.st_atim, seen.st_mtim};
    if (::futimens(to, times.data()) != 0) return std::unexpected(Error::from_errno("futimens", errno));
    return set_flags(to, seen);
}

/// What cannot be opened.
Result<void> TreeCopy::dress_by_name(const std::string& name, const struct stat& seen) {
    constexpr int kItself = AT_SYMLINK_NOFOLLOW;
    const int to = target_.get();
    if (::fchownat(to, name.c_str(), seen.st_uid, seen.st_gid, kItself) != 0)
        return std::unexpected(Error::from_errno("fchownat", errno));
#ifdef __linux__
    const bool has_mode = !S_ISLNK(seen.st_mode);
#else
    const bool has_mode = true;
#endif
    if (has_mode && ::fchmodat(to, name.c_str(), seen.st_mode & kModeBits, kItself) != 0)
        return std::unexpected(Error::from_errno("fchmodat", errno));
    const std::array times{seen.st_atim, seen.st_mtim};
    if (::utimensat(to, name.c_str(), times.data(), kItself) != 0)
        return std::unexpected(Error::from_errno("utimensat", errno));
    return set_flags(to, name.c_str(), seen);
}

TreeCopy::Made TreeCopy::file(int held, const std::string& name, const struct stat& seen) {
    const auto from = reopen(held, O_RDONLY | O_NOCTTY);
    if (!from) return std::unexpected(from.error());
    const UniqueFd to(
        ::openat(target_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to && errno == EEXIST) return false;
    if (!to) return std::unexpected(Error::from_errno("openat", errno));
    const auto copied = contents_.copy(from->get(), to.get(), seen, [this](std::uint64_t bytes) {
        totals_.bytes += bytes;
        return go_on();
    });
    if (!copied) return copied;
    if (!*copied) return std::unexpected(interrupted());
    if (auto dressed = dress(from->get(), to.get(), seen); !dressed) return std::unexpected(dressed.error());
    return true;
}

TreeCopy::Made TreeCopy::link(const std::string& original, const std::string& name, const struct stat& seen) {
    // The copy can lie deeper than one path may be long: so its directory is looked up name by name.
    const auto slash = original.rfind('/');
    UniqueFd directory;
    if (slash != std::string::npos) {
        const auto components = split_relative(original.substr(0, slash));
        if (!components) return std::unexpected(components.error());
        auto opened = open_by_walk(top_, *components, O_PATH | O_DIRECTORY, 0);
        if (!opened) return std::unexpected(opened.error());
        directory = *std::move(opened);
    }
    const int from = directory ? directory.get() : top_;
    const std::string first = slash == std::string::npos ? original : original.substr(slash + 1);
    const auto linked = [&] { return ::linkat(from, first.c_str(), target_.get(), name.c_str(), 0) == 0; };
    bool made = linked();
    if (!made && errno == EEXIST) return false;
    // An immutable file takes no link more (FreeBSD).
    if (!made && errno == EPERM) {
        const auto cleared = clear_flags(from, first);
        made = cleared && *cleared && linked();
        if (made) {
            if (auto set = set_flags(from, first.c_str(), seen); !set) return std::unexpected(set.error());
        }
    }
    if (!made) return std::unexpected(Error::from_errno("linkat", errno));
    return true;
}

TreeCopy::Made TreeCopy::symbolic_link(int directory, const std::string& name, const struct stat& seen) {
    std::array<char, PATH_MAX> text{};
    const ssize_t length = ::readlinkat(directory, name.c_str(), text.data(), text.size() - 1);
    if (length < 0) return std::unexpected(Error::from_errno("readlinkat", errno));
    if (::symlinkat(text.data(), target_.get(), name.c_str()) != 0) {
        if (errno == EEXIST) return false;
        return std::unexpected(Error::from_errno("symlinkat", errno));
    }
    if (auto dressed = dress_by_name(name, seen); !dressed) return std::unexpected(dressed.error());
    return true;
}

TreeCopy::Made TreeCopy::fifo([[maybe_unused]] int held, const std::string& name, const struct stat& seen) {
    if (::mkfifoat(target_.get(), name.c_str(), 0600) != 0) {
        if (errno == EEXIST) return false;
        return std::unexpected(Error::from_errno("mkfifoat", errno));
    }
#ifdef __linux__
    const UniqueFd to(::openat(target_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!to) return std::unexpected(Error::from_errno("openat", errno));
    if (auto dressed = copy_attached(held, to.get()); !dressed) return std::unexpected(dressed.error());
#endif
    if (auto dressed = dress_by_name(name, seen); !dressed) return std::unexpected(dressed.error());
    return true;
}

Result<TreeVisitor::Next> TreeCopy::left_out(const std::string& name) {
    ++totals_.left_out;
    if (totals_.first_left_out.size() < kShownLeftOut) totals_.first_left_out.push_back(path(name));
    return Next::on;
}

Result<TreeVisitor::Next> TreeCopy::entry(int directory, const std::string& name) {
    if (!go_on()) return std::unexpected(interrupted());
    // Held before it is looked at: what it is now, it stays.
    const UniqueFd held(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!held && errno == ENOENT) return Next::on;
    if (!held) return std::unexpected(failed("openat", name));
    struct stat seen {};
    if (::fstat(held.get(), &seen) != 0) return std::unexpected(failed("fstat", name));
    if (S_ISDIR(seen.st_mode)) return Next::again;

    const std::pair identity{static_cast<std::uint64_t>(seen.st_dev), static_cast<std::uint64_t>(seen.st_ino)};
    const auto first = seen.st_nlink > 1 ? links_.find(identity) : links_.end();
    Made made = false;
    if (first != links_.end())
        made = link(first->second, name, seen);
    else if (S_ISREG(seen.st_mode))
        made = file(held.get(), name, seen);
    else if (S_ISLNK(seen.st_mode))
        made = symbolic_link(directory, name, seen);
    else if (S_ISFIFO(seen.st_mode))
        made = fifo(held.get(), name, seen);
    else
        return left_out(name);
    if (!made) {
        const bool gone = made.error().op == "readlinkat" && (made.error().sys == EINVAL || made.error().sys == ENOENT);
        if (gone) return Next::again;
        return std::unexpected(about(std::move(made).error(), name));
    }
    if (*made) ++totals_.entries;
    if (*made && seen.st_nlink > 1 && first == links_.end()) links_.emplace(identity, path(name));
    return Next::on;
}

Result<TreeVisitor::Into> TreeCopy::enter(int, const std::string& name) {
    if (!go_on()) return std::unexpected(interrupted());
    if (!targets_.empty()) {
        if (::mkdirat(target_.get(), name.c_str(), 0700) != 0) {
            if (errno == EEXIST) return Into::pass;
            return std::unexpected(failed("mkdirat", name));
        }
        UniqueFd made(::openat(target_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!made) return std::unexpected(failed("openat", name));
        target_ = std::move(made);
        path_ = path(name);
    }
    const auto identity = identify(target_.get(), "");
    if (!identity) return std::unexpected(identity.error());
    targets_.push_back(*identity);
    ++totals_.entries;
    return options_.outlines.contains(path_) ? Into::nothing : Into::contents;
}

Result<bool> TreeCopy::mount(int, const std::string& name, bool directory) {
    if (options_.mounts == MountsBeneath::refuse) return false;
    if (!directory) return true;
    if (::mkdirat(target_.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(failed("mkdirat", name));
    if (::fchmodat(target_.get(), name.c_str(), 0755, 0) != 0) return std::unexpected(failed("fchmodat", name));
    ++totals_.entries;
    return true;
}

Result<void> TreeCopy::leave(int directory) {
    struct stat seen {};
    if (::fstat(directory, &seen) != 0) return std::unexpected(failed("fstat", ""));
    if (auto dressed = dress(directory, target_.get(), seen); !dressed)
        return std::unexpected(about(std::move(dressed).error(), ""));
    return {};
}

Result<TreeVisitor::Next> TreeCopy::left(int, const std::string& name) {
    targets_.pop_back();
    UniqueFd parent(::openat(target_.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!parent) return std::unexpected(failed("openat", name));
    const auto identity = identify(parent.get(), "");
    if (!identity) return std::unexpected(identity.error());
    if (*identity != targets_.back()) return std::unexpected(walk_.moved());
    target_ = std::move(parent);
    path_.resize(path_.size() - std::min(path_.size(), name.size() + 1));
    return Next::on;
}

Result<CopyTotals> TreeCopy::run(int source) {
    if (auto walked = walk_.run(source, "."); !walked) return std::unexpected(walked.error());
    return std::move(totals_);
}

}  // namespace

Result<CopyTotals> copy_tree(int source, int target, const CopyOptions& options) {
    const auto empty = is_empty(target);
    if (!empty) return std::unexpected(empty.error());
    if (!*empty)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "copy_tree",
                                     .detail = "the directory that is copied into is not empty",
                                     .reason = "not_empty"});
    const auto home = identify(source, "");
    if (!home) return std::unexpected(home.error());
    UniqueFd top(::openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!top) return std::unexpected(Error::from_errno("openat", errno));
    UniqueFd current(::fcntl(top.get(), F_DUPFD_CLOEXEC, 0));
    if (!current) return std::unexpected(Error::from_errno("fcntl", errno));
    return TreeCopy(top.get(), std::move(current), home->mount, options).run(source);
}

}  // namespace jaild::files
