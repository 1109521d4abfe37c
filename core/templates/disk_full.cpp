#include "core/templates/disk_full.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>

namespace jaild::templates {
namespace {

/// Of the file system that `path` lies in, for a message.
std::string free_space(const std::filesystem::path& path) {
    struct statvfs seen {};
    if (::statvfs(path.c_str(), &seen) != 0) return path.string();
    const auto megabytes = static_cast<std::uint64_t>(seen.f_bavail) * seen.f_frsize >> 20;
    return fmt::format("{} ({} MiB free now)", path.string(), megabytes);
}

}  // namespace

Error or_disk_full(Error error, const std::filesystem::path& place) {
    if (error.reason != "disk_full" && error.sys != ENOSPC && error.sys != EDQUOT) return error;
    error.code = Errc::exhausted;
    error.reason = "disk_full";
    error.remedy = fmt::format(
        "free space in the file system of {}; `jaildctl template rm --unused` removes templates that no jail has",
        free_space(place));
    return error;
}

}  // namespace jaild::templates
