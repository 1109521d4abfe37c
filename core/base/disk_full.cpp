#include "core/base/disk_full.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>

namespace jaild {
namespace {

std::string named(const std::filesystem::path& place) {
    if (place.empty()) return "the state directory";
    struct statvfs seen {};
    if (::statvfs(place.c_str(), &seen) != 0) return place.string();
    const auto megabytes = static_cast<std::uint64_t>(seen.f_bavail) * seen.f_frsize >> 20;
    return fmt::format("{} ({} MiB free now)", place.string(), megabytes);
}

}  // namespace

Error as_disk_full(Error error, const std::filesystem::path& place) {
    error.code = Errc::exhausted;
    error.reason = "disk_full";
    // The removals are written down first, which takes a little room too.
    error.remedy = fmt::format(
        "free space in the file system of {}, or raise its quota; once there is a megabyte, `jaildctl snapshot rm`, "
        "`jaildctl rm` and `jaildctl template rm --unused` remove what jaild keeps there",
        named(place));
    return error;
}

Error or_disk_full(Error error, const std::filesystem::path& place) {
    const bool full = error.sys == ENOSPC || error.sys == EDQUOT;
    return full ? as_disk_full(std::move(error), place) : error;
}

}  // namespace jaild
