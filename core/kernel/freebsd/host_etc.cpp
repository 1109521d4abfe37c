#include "core/kernel/freebsd/host_etc.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "core/base/files.h"
#include "core/kernel/freebsd/pure/etc_allowed.h"
#include "core/kernel/roots/etc_source.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel::freebsd {

namespace {

namespace fs = std::filesystem;

/// The base system's /etc is three deep (periodic/security); what somebody nested beyond is not of the base.
constexpr int kDepthLimit = 6;

Result<void> copy_file(int from, int to, const std::string& name, const struct stat& seen) {
    if ((seen.st_mode & S_IROTH) == 0 || static_cast<std::size_t>(seen.st_size) > kFileLimit) return {};
    const auto content = files::read(from, name, kFileLimit);
    if (!content) return content.error().code == Errc::not_found ? Result<void>{} : std::unexpected(content.error());
    if (holds_private_key(*content)) return {};
    // Scripts stay executable; nobody but the jail's root writes, and no bit beyond these comes along.
    return place::file(to, name, *content, (seen.st_mode & 0555U) | 0200U);
}

Result<void> copy_link(int from, int to, const fs::path& relative) {
    const auto target = read_link(from, relative.filename());
    if (!target) return std::unexpected(target.error());
    if (!etc_link_stays(relative, *target)) return {};
    return place::link(to, relative.filename(), *target);
}

Result<void> copy_entry(int from, int to, const fs::path& relative, int depth);

Result<void> copy_directory(int from, int to, const fs::path& relative, int depth) {
    if (depth > kDepthLimit) return {};
    const auto source = files::open_beneath(from, relative.filename(), O_RDONLY | O_DIRECTORY);
    if (!source) return std::unexpected(source.error());
    const auto target = place::directory(to, relative.filename(), 0755);
    if (!target) return std::unexpected(target.error());
    const auto names = names_in(source->get());
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
        if (auto copied = copy_entry(source->get(), target->get(), relative / name, depth + 1); !copied) return copied;
    }
    return {};
}

/// `relative` to /etc; `from` and `to` are the open directories that it is directly in.
Result<void> copy_entry(int from, int to, const fs::path& relative, int depth) {
    if (etc_excludes(relative)) return {};
    const std::string name = relative.filename();
    struct stat seen {};
    if (::fstatat(from, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? Result<void>{} : std::unexpected(Error::from_errno("fstatat", errno, name));
    if (S_ISREG(seen.st_mode)) return copy_file(from, to, name, seen);
    if (S_ISLNK(seen.st_mode)) return copy_link(from, to, relative);
    if (S_ISDIR(seen.st_mode)) return copy_directory(from, to, relative, depth);
    return {};
}

}  // namespace

Result<void> copy_host_etc(int from, int to) {
    for (const auto entry : etc_entries()) {
        if (auto copied = copy_entry(from, to, entry, 0); !copied) return copied;
    }
    return {};
}

}  // namespace jaild::kernel::freebsd
