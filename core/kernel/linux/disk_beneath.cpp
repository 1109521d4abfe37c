#include "core/kernel/linux/disk_beneath.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <charconv>

#include "core/base/files.h"

namespace jaild::kernel::cgroups {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNumbers = 64;

/// "254:0\n"
std::optional<DiskId> parse_numbers(std::string_view text) {
    DiskId disk;
    const auto* const end = text.data() + text.size();
    const auto [colon, failed] = std::from_chars(text.data(), end, disk.major);
    if (failed != std::errc{} || colon == end || *colon != ':') return std::nullopt;
    if (std::from_chars(colon + 1, end, disk.minor).ec != std::errc{}) return std::nullopt;
    return disk;
}

}  // namespace

Result<DiskId> disk_beneath(const fs::path& directory) {
    struct stat found {};
    if (::stat(directory.c_str(), &found) != 0)
        return std::unexpected(Error::from_errno("stat", errno, directory.string()));
    const DiskId device{.major = major(found.st_dev), .minor = minor(found.st_dev)};
    const auto known = fs::path("/sys/dev/block") / device.text();
    std::error_code problem;
    if (device.major == 0 || !fs::exists(known, problem))
        return std::unexpected(Error{
            .code = Errc::unsupported,
            .op = "limits",
            .detail = directory.string() + " is on a file system that is on no disk of its own",
            .reason = "limits_unsupported",
            .remedy = "leave readbps, writebps, readiops and writeiops out, or have the root on ext4 or xfs, say"});
    if (!fs::exists(known / "partition", problem)) return device;
    // sysfs has a partition in its disk's directory.
    const auto whole = files::read(fs::canonical(known, problem).parent_path() / "dev", kNumbers);
    if (!whole) return std::unexpected(whole.error());
    if (const auto disk = parse_numbers(*whole)) return *disk;
    return std::unexpected(Error::from_errno("read", EINVAL, known.string()));
}

}  // namespace jaild::kernel::cgroups
