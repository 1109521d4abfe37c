#include "core/upgrade/held_entry.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "core/base/path_walk.h"
#include "core/base/tree_entry.h"

namespace jaild::upgrade {
namespace {

struct CloseStream {
    void operator()(DIR* stream) const { ::closedir(stream); }
};

Kind kind_of(mode_t mode) {
    if (S_ISREG(mode)) return Kind::file;
    if (S_ISDIR(mode)) return Kind::directory;
    if (S_ISLNK(mode)) return Kind::link;
    return S_ISFIFO(mode) ? Kind::fifo : Kind::other;
}

/// How many bytes of `length`: fewer only at the end.
Result<std::size_t> read_some(int file, char* into, std::size_t length) {
    std::size_t done = 0;
    while (done < length) {
        const auto got = ::read(file, into + done, length - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected(Error::from_errno("read", errno));
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Result<bool> same_content(const HeldEntry& one, const HeldEntry& other) {
    if (one.seen.st_size != other.seen.st_size) return false;
    const auto a = open_held(one);
    if (!a) return std::unexpected(a.error());
    const auto b = open_held(other);
    if (!b) return std::unexpected(b.error());
    std::array<char, 32 * 1024> of_a;
    std::array<char, 32 * 1024> of_b;
    // At most what both were: one that grows meanwhile is no reason to read on.
    for (off_t left = one.seen.st_size; left > 0;) {
        const auto length = static_cast<std::size_t>(std::min<off_t>(left, of_a.size()));
        const auto got_a = read_some(a->get(), of_a.data(), length);
        if (!got_a) return std::unexpected(got_a.error());
        const auto got_b = read_some(b->get(), of_b.data(), length);
        if (!got_b) return std::unexpected(got_b.error());
        if (*got_a != length || *got_b != length) return false;
        if (!std::equal(of_a.begin(), of_a.begin() + static_cast<std::ptrdiff_t>(length), of_b.begin())) return false;
        left -= static_cast<off_t>(length);
    }
    return true;
}

Result<bool> same_directory(const HeldEntry& one, const HeldEntry& other, const CountEntries& count, int depth) {
    if (depth == 0) return false;
    const auto a = open_held(one);
    if (!a) return std::unexpected(a.error());
    const auto b = open_held(other);
    if (!b) return std::unexpected(b.error());
    const auto names = names_in(a->get(), count);
    if (!names) return std::unexpected(names.error());
    const auto other_names = names_in(b->get(), count);
    if (!other_names) return std::unexpected(other_names.error());
    if (*names != *other_names) return false;
    const auto mount_a = files::identify(a->get(), "");
    if (!mount_a) return std::unexpected(mount_a.error());
    const auto mount_b = files::identify(b->get(), "");
    if (!mount_b) return std::unexpected(mount_b.error());
    for (const auto& name : *names) {
        const auto in_a = hold(a->get(), name, mount_a->mount, name);
        if (!in_a) return std::unexpected(in_a.error());
        const auto in_b = hold(b->get(), name, mount_b->mount, name);
        if (!in_b) return std::unexpected(in_b.error());
        const auto equal = same(*in_a, *in_b, count, depth - 1);
        if (!equal || !*equal) return equal;
    }
    return true;
}

}  // namespace

Result<HeldEntry> hold(int directory, const std::string& name, std::uint64_t mount, const std::string& path) {
    HeldEntry entry;
    if (directory < 0) return entry;
    entry.held.reset(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!entry.held && errno == ENOENT) return entry;
    if (!entry.held) return std::unexpected(Error::from_errno("openat", errno, path));
    const auto identity = files::identify(entry.held.get(), "");
    if (!identity) return std::unexpected(identity.error());
    if (identity->mount != mount)
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "merge_trees",
                                     .sys = EBUSY,
                                     .detail = "something is mounted on etc/" + path,
                                     .reason = "mount_beneath",
                                     .remedy = "unmount it"});
    if (::fstat(entry.held.get(), &entry.seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, path));
    entry.kind = kind_of(entry.seen.st_mode);
    if (entry.kind != Kind::link) return entry;
    std::array<char, PATH_MAX> text{};
    const ssize_t length = ::readlinkat(directory, name.c_str(), text.data(), text.size());
    if (length < 0 && (errno == EINVAL || errno == ENOENT))
        return std::unexpected(Error{.code = Errc::busy,
                                     .op = "merge_trees",
                                     .detail = "somebody changes etc/" + path + " meanwhile",
                                     .reason = "tree_changing"});
    if (length < 0) return std::unexpected(Error::from_errno("readlinkat", errno, path));
    entry.link.assign(text.data(), static_cast<std::size_t>(length));
    return entry;
}

Result<UniqueFd> open_held(const HeldEntry& entry) {
    if (entry.kind != Kind::directory) return files::reopen(entry.held.get(), O_RDONLY | O_NOCTTY);
    UniqueFd opened(::openat(entry.held.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) return std::unexpected(Error::from_errno("openat", errno));
    return opened;
}

Result<std::vector<std::string>> names_in(int directory, const CountEntries& count) {
    UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) return std::unexpected(Error::from_errno("openat", errno));
    const std::unique_ptr<DIR, CloseStream> stream(::fdopendir(own.get()));
    if (!stream) return std::unexpected(Error::from_errno("fdopendir", errno));
    static_cast<void>(own.release());
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(stream.get());
        if (!entry && errno != 0) return std::unexpected(Error::from_errno("readdir", errno));
        if (!entry) break;
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (auto counted = count(1); !counted) return std::unexpected(counted.error());
        names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    // A directory that changes while it is read can show a name twice.
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Result<std::string> content_of(const HeldEntry& file, std::uint64_t limit) {
    const auto opened = open_held(file);
    if (!opened) return std::unexpected(opened.error());
    std::string content(static_cast<std::size_t>(std::min<std::uint64_t>(
                            limit, static_cast<std::uint64_t>(std::max<off_t>(file.seen.st_size, 0)))) +
                            1,
                        '\0');
    const auto got = read_some(opened->get(), content.data(), content.size());
    if (!got) return std::unexpected(got.error());
    if (*got == content.size() && *got > limit)
        return std::unexpected(
            Error{.code = Errc::exhausted, .op = "merge_trees", .detail = "the file is too large to be merged"});
    content.resize(*got);
    return content;
}

Result<bool> same(const HeldEntry& one, const HeldEntry& other, const CountEntries& count, int depth) {
    if (one.kind != other.kind) return false;
    switch (one.kind) {
        case Kind::file:
            return same_content(one, other);
        case Kind::directory:
            return same_directory(one, other, count, depth);
        case Kind::link:
            return one.link == other.link;
        case Kind::none:
        case Kind::fifo:
        case Kind::other:
            return true;
    }
    return false;
}

}  // namespace jaild::upgrade
