#include "core/base/copy_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/base/entry_copier.h"
#include "core/base/files.h"
#include "core/base/tree_walk.h"

namespace jaild::files {
namespace {

constexpr std::size_t kShownLeftOut = 8;

class TreeCopy : public TreeVisitor {
public:
    TreeCopy(int top, UniqueFd target, std::uint64_t mount, const CopyOptions& options)
        : walk_(*this, mount),
          options_(options),
          target_(std::move(target)),
          entries_(top, [this](std::uint64_t bytes) {
              totals_.bytes += bytes;
              return go_on();
          }) {}
    Result<CopyTotals> run(int source);

    [[nodiscard]] std::string_view op() const override { return "copy_tree"; }
    Result<Into> enter(int directory, const std::string& name) override;
    Result<Next> entry(int directory, const std::string& name) override;
    Result<Next> replaced(int, const std::string&) override { return Next::again; }
    Result<bool> mount(int parent, const std::string& name, bool directory) override;
    Result<void> leave(int directory) override;
    Result<Next> left(int parent, const std::string& name) override;

private:
    Result<Next> left_out(const std::string& name);
    [[nodiscard]] bool go_on() const { return !options_.go_on || options_.go_on(totals_); }
    [[nodiscard]] std::string path(const std::string& name) const { return path_.empty() ? name : path_ + "/" + name; }
    [[nodiscard]] Error failed(std::string_view op, const std::string& name) const;
    [[nodiscard]] Error about(Error error, const std::string& name) const;

    TreeWalk walk_;
    const CopyOptions& options_;
    UniqueFd target_;  ///< where the current directory is copied to
    std::vector<EntryIdentity> targets_{};
    std::string path_{};  ///< of the current directory, relative to the tree
    EntryCopier entries_;
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

Result<TreeVisitor::Next> TreeCopy::left_out(const std::string& name) {
    ++totals_.left_out;
    if (totals_.first_left_out.size() < kShownLeftOut) totals_.first_left_out.push_back(path(name));
    return Next::on;
}

Result<TreeVisitor::Next> TreeCopy::entry(int directory, const std::string& name) {
    if (!go_on()) return std::unexpected(interrupted("copy_tree"));
    // Held before it is looked at: what it is now, it stays.
    const UniqueFd held(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!held && errno == ENOENT) return Next::on;
    if (!held) return std::unexpected(failed("openat", name));
    struct stat seen {};
    if (::fstat(held.get(), &seen) != 0) return std::unexpected(failed("fstat", name));
    if (S_ISDIR(seen.st_mode)) return Next::again;

    const auto made = entries_.copy(held.get(), directory, name, seen, target_.get(), path(name));
    if (!made) return std::unexpected(about(made.error(), name));
    switch (*made) {
        case EntryCopier::Made::yes:
            ++totals_.entries;
            return Next::on;
        case EntryCopier::Made::before:
            return Next::on;
        case EntryCopier::Made::changing:
            return Next::again;
        case EntryCopier::Made::no:
            break;
    }
    return left_out(name);
}

Result<TreeVisitor::Into> TreeCopy::enter(int, const std::string& name) {
    if (!go_on()) return std::unexpected(interrupted("copy_tree"));
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
