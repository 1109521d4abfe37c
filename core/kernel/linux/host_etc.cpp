#include "core/kernel/linux/host_etc.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/files.h"
#include "core/base/unique_fd.h"
#include "core/kernel/roots/etc_source.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel {

namespace {

/// Seen in the jail as on the host: through the read-only /usr.
bool leads_into_usr(std::string_view target) {
    static constexpr std::array kPrefixes =
        std::to_array<std::string_view>({"/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"});
    return target.find("/../") == std::string_view::npos && !target.starts_with("/usr/local/") &&
           std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return target.starts_with(prefix); });
}

bool stays_beside(std::string_view target) {
    return target.find('/') == std::string_view::npos;
}

/// Does opening or reading fail in this way because the host has no such thing, or something else in its place? Every
/// other failure (no descriptors, a bad disk) says nothing about what it has.
bool is_absence(const Error& error) {
    return error.code == Errc::not_found || error.sys == ENOTDIR || error.name() == "symbolic_link" ||
           error.name() == "not_a_file";
}

Result<void> copy_file(int from, int to, const std::string& name, const struct stat& seen) {
    if ((seen.st_mode & S_IROTH) == 0 || static_cast<std::size_t>(seen.st_size) > kFileLimit) return {};
    const auto content = files::read(from, name, kFileLimit);
    if (!content) return is_absence(content.error()) ? Result<void>{} : std::unexpected(content.error());
    if (holds_private_key(*content)) return {};
    return place::file(to, name, *content, 0644);
}

/// A file, or a link that leads where the jail sees the same.
Result<void> copy_entry(int from, int to, const std::string& name) {
    struct stat seen {};
    if (::fstatat(from, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? Result<void>{} : std::unexpected(Error::from_errno("fstatat", errno, name));
    if (S_ISREG(seen.st_mode)) return copy_file(from, to, name, seen);
    if (!S_ISLNK(seen.st_mode)) return {};
    const auto target = read_link(from, name);
    if (!target) return std::unexpected(target.error());
    if (!leads_into_usr(*target) && !stays_beside(*target)) return {};
    return place::link(to, name, *target);
}

using Allowed = std::function<bool(const std::string&)>;

/// The allowed entries directly in the directory `name`; nothing beneath it.
Result<void> copy_directory(int from, const std::string& name, int to, const Allowed& allowed) {
    const auto source = files::open_beneath(from, name, O_RDONLY | O_DIRECTORY);
    if (!source) return is_absence(source.error()) ? Result<void>{} : std::unexpected(source.error());
    const auto names = names_in(source->get());
    if (!names) return std::unexpected(names.error());
    for (const std::string& entry : *names) {
        if (!allowed(entry)) continue;
        if (auto copied = copy_entry(source->get(), to, entry); !copied) return copied;
    }
    return {};
}

/// The same into a directory of our own that shall hold nothing else.
Result<void> mirror_directory(int from, const std::string& name, int to) {
    const auto before = names_in(to);
    if (!before) return std::unexpected(before.error());
    std::set<std::string> kept;
    const Allowed note = [&kept](const std::string& entry) {
        kept.insert(entry);
        return true;
    };
    if (auto copied = copy_directory(from, name, to, note); !copied) return copied;
    for (const std::string& entry : *before) {
        if (!kept.contains(entry)) ::unlinkat(to, entry.c_str(), 0);
    }
    return {};
}

/// localtime(5) is a link into zoneinfo, or a copy of such a file.
Result<void> copy_localtime(int from, int to) {
    auto target = read_link(from, "localtime");
    if (!target) return copy_entry(from, to, "localtime");
    constexpr std::string_view kUp = "../usr/";
    if (target->starts_with(kUp)) target = "/usr/" + target->substr(kUp.size());
    if (!leads_into_usr(*target)) return {};
    return place::link(to, "localtime", *target);
}

}  // namespace

Result<void> copy_host_etc(int from, int to) {
    for (const char* name : {"ld.so.cache", "ld.so.conf", "nsswitch.conf", "services", "protocols"}) {
        if (auto copied = copy_entry(from, to, name); !copied) return copied;
    }
    if (auto copied = copy_localtime(from, to); !copied) return copied;
    const auto to_configuration = place::directory(to, "ld.so.conf.d", 0755);
    if (!to_configuration) return std::unexpected(to_configuration.error());
    return copy_directory(from, "ld.so.conf.d", to_configuration->get(),
                          [](const std::string& name) { return name.ends_with(".conf"); });
}

Result<void> copy_shared_etc(int from, int to) {
    for (const auto& [source, name] : {std::pair{"alternatives", "alternatives"}, std::pair{"ssl/certs", "certs"}}) {
        const auto target = place::directory(to, name, 0755);
        if (!target) return std::unexpected(target.error());
        if (auto copied = mirror_directory(from, source, target->get()); !copied) return copied;
    }
    return {};
}

}  // namespace jaild::kernel
