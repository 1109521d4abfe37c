#include "core/base/entry_copier.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "core/base/path_walk.h"
#include "core/base/tree_entry.h"

namespace jaild::files {
namespace {

constexpr mode_t kModeBits = 07777;

/// What cannot be opened.
Result<void> dress_by_name(int to, const std::string& name, const struct stat& seen) {
    constexpr int kItself = AT_SYMLINK_NOFOLLOW;
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

}  // namespace

/// Everything but the flags, which can forbid what comes before them. chown(2) takes setuid and capabilities away,
/// chmod(2) can change an ACL: so in this order.
Result<void> dress(int from, int to, const struct stat& seen) {
    if (::fchown(to, seen.st_uid, seen.st_gid) != 0) return std::unexpected(Error::from_errno("fchown", errno));
    if (::fchmod(to, seen.st_mode & kModeBits) != 0) return std::unexpected(Error::from_errno("fchmod", errno));
    if (auto done = copy_attached(from, to); !done) return done;
    const std::array times{seen.st_atim, seen.st_mtim};
    if (::futimens(to, times.data()) != 0) return std::unexpected(Error::from_errno("futimens", errno));
    return set_flags(to, seen);
}

Error interrupted(std::string_view op) {
    return Error{.code = Errc::busy, .op = op, .detail = "the copy was ended before its end", .reason = "interrupted"};
}

Result<bool> EntryCopier::file(int held, const std::string& name, const struct stat& seen, int target) {
    const auto from = reopen(held, O_RDONLY | O_NOCTTY);
    if (!from) return std::unexpected(from.error());
    const UniqueFd to(::openat(target, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to && errno == EEXIST) return false;
    if (!to) return std::unexpected(Error::from_errno("openat", errno));
    const auto copied = contents_.copy(from->get(), to.get(), seen, copied_);
    if (!copied) return copied;
    if (!*copied) return std::unexpected(interrupted("copy_tree"));
    if (auto dressed = dress(from->get(), to.get(), seen); !dressed) return std::unexpected(dressed.error());
    return true;
}

Result<bool> EntryCopier::link(const std::string& original, const std::string& name, const struct stat& seen,
                               int target) {
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
    const auto linked = [&] { return ::linkat(from, first.c_str(), target, name.c_str(), 0) == 0; };
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

Result<bool> EntryCopier::symbolic_link(int directory, const std::string& from, const std::string& name,
                                        const struct stat& seen, int target) {
    std::array<char, PATH_MAX> text{};
    const ssize_t length = ::readlinkat(directory, from.c_str(), text.data(), text.size() - 1);
    if (length < 0) return std::unexpected(Error::from_errno("readlinkat", errno));
    if (::symlinkat(text.data(), target, name.c_str()) != 0) {
        if (errno == EEXIST) return false;
        return std::unexpected(Error::from_errno("symlinkat", errno));
    }
    if (auto dressed = dress_by_name(target, name, seen); !dressed) return std::unexpected(dressed.error());
    return true;
}

Result<bool> EntryCopier::fifo([[maybe_unused]] int held, const std::string& name, const struct stat& seen,
                               int target) {
    if (::mkfifoat(target, name.c_str(), 0600) != 0) {
        if (errno == EEXIST) return false;
        return std::unexpected(Error::from_errno("mkfifoat", errno));
    }
#ifdef __linux__
    const UniqueFd to(::openat(target, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!to) return std::unexpected(Error::from_errno("openat", errno));
    if (auto dressed = copy_attached(held, to.get()); !dressed) return std::unexpected(dressed.error());
#endif
    if (auto dressed = dress_by_name(target, name, seen); !dressed) return std::unexpected(dressed.error());
    return true;
}

Result<EntryCopier::Made> EntryCopier::copy(int held, int directory, const std::string& name, const struct stat& seen,
                                            int target, const std::string& path) {
    const std::pair identity{static_cast<std::uint64_t>(seen.st_dev), static_cast<std::uint64_t>(seen.st_ino)};
    const auto first = seen.st_nlink > 1 ? links_.find(identity) : links_.end();
    const auto as = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
    Result<bool> made = false;
    if (first != links_.end())
        made = link(first->second, as, seen, target);
    else if (S_ISREG(seen.st_mode))
        made = file(held, as, seen, target);
    else if (S_ISLNK(seen.st_mode))
        made = symbolic_link(directory, name, as, seen, target);
    else if (S_ISFIFO(seen.st_mode))
        made = fifo(held, as, seen, target);
    else
        return Made::no;
    if (!made) {
        const bool gone = made.error().op == "readlinkat" && (made.error().sys == EINVAL || made.error().sys == ENOENT);
        if (gone) return Made::changing;
        return std::unexpected(std::move(made).error());
    }
    if (!*made) return Made::before;
    if (seen.st_nlink > 1 && first == links_.end()) links_.emplace(identity, path);
    return Made::yes;
}

}  // namespace jaild::files
