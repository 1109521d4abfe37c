#include "core/kernel/freebsd/pure/etc_allowed.h"

#include <algorithm>
#include <array>
#include <string>

namespace jaild::kernel::freebsd {

namespace {

constexpr std::array kShared =
    std::to_array<std::string_view>({"bin", "sbin", "lib", "libexec", "usr/bin", "usr/sbin", "usr/lib", "usr/lib32",
                                     "usr/libexec", "usr/libdata", "usr/include", "usr/share"});

constexpr std::array kEntries = std::to_array<std::string_view>(
    {"rc",    "rc.subr", "rc.d",     "rc.shutdown", "network.subr",   "defaults",      "login.conf",
     "pam.d", "mtree",   "periodic", "services",    "protocols",      "rpc",           "netconfig",
     "ttys",  "shells",  "ssl",      "syslog.conf", "newsyslog.conf", "nsswitch.conf", "termcap"});

bool is_beneath(const std::string& path, std::string_view directory) {
    return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

}  // namespace

std::span<const std::string_view> shared_directories() {
    return kShared;
}

std::span<const std::string_view> etc_entries() {
    return kEntries;
}

bool etc_excludes(const std::filesystem::path& relative) {
    return relative == "defaults/devfs.rules";
}

bool etc_link_stays(const std::filesystem::path& relative, const std::filesystem::path& target) {
    if (target.empty()) return false;
    const std::filesystem::path start = std::filesystem::path("/etc") / relative.parent_path();
    const std::string full = (start / target).lexically_normal();
    const bool shared = std::ranges::any_of(
        kShared, [&](std::string_view directory) { return is_beneath(full, "/" + std::string(directory)); });
    return shared || std::ranges::any_of(kEntries, [&](std::string_view entry) {
               const std::string path = "/etc/" + std::string(entry);
               return full == path || is_beneath(full, path);
           });
}

}  // namespace jaild::kernel::freebsd
