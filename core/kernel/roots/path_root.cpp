#include "core/kernel/roots/path_root.h"

#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string>

namespace jaild::kernel {

namespace {

namespace fs = std::filesystem;

constexpr const char* kField = "/root/path";

struct Identity {
    dev_t device;
    ino_t inode;
    bool operator==(const Identity&) const = default;
};

/// Bind mounts give one directory several names; device and inode stay.
std::optional<Identity> identity(const fs::path& path) {
    struct stat seen {};
    if (::stat(path.c_str(), &seen) != 0) return std::nullopt;
    return Identity{seen.st_dev, seen.st_ino};
}

/// Is `ancestor` the directory `path`, or one above it?
bool is_at_or_above(const Identity& ancestor, fs::path path) {
    for (;;) {
        if (identity(path) == ancestor) return true;
        if (path == path.root_path()) return false;
        path = path.parent_path();
    }
}

Error refused(const std::string& path) {
    return Error::invalid("path_refused", kField, path + " is /, or holds or lies in jaild's state directory");
}

}  // namespace

Result<void> check_open_root(int directory, const fs::path& state) {
    struct stat seen {};
    if (::fstat(directory, &seen) != 0) return std::unexpected(Error::from_errno("fstat", errno, "a root"));
    if (!is_at_or_above({seen.st_dev, seen.st_ino}, state)) return {};
    return std::unexpected(refused("what was found at the jail's root"));
}

Result<void> check_apart(const fs::path& path, const fs::path& state) {
    const auto own = identity(state);
    std::error_code failed;
    const fs::path canonical = fs::weakly_canonical(path, failed);
    const auto there = identity(canonical);
    const bool holds = there && is_at_or_above(*there, state);
    if (failed || !own || holds || is_at_or_above(*own, canonical)) return std::unexpected(refused(path.string()));
    return {};
}

fs::path canonical_path_root(const fs::path& path) {
    std::error_code failed;
    fs::path canonical = fs::canonical(path, failed);
    return failed ? path : canonical;
}

Result<void> check_path_root(const fs::path& path, const fs::path& state,
                             std::span<const std::string_view> mount_points) {
    std::error_code failed;
    const fs::path canonical = fs::canonical(path, failed);
    const auto root = identity(canonical);
    const auto own = identity(state);
    if (failed || !root || !fs::is_directory(canonical, failed))
        return std::unexpected(
            Error::invalid("root_path_missing", kField, path.string() + " is no directory of this host"));
    if (!own || !path.is_absolute() || is_at_or_above(*root, state) || is_at_or_above(*own, canonical))
        return std::unexpected(refused(path.string()));
    std::string missing;
    std::string places;
    for (const std::string_view point : mount_points) {
        struct stat seen {};
        const fs::path place = canonical / point;
        if (::lstat(place.c_str(), &seen) == 0 && S_ISDIR(seen.st_mode)) continue;
        missing += std::string(missing.empty() ? "" : ", ") + std::string(point);
        places += " " + place.string();
    }
    if (missing.empty()) return {};
    Error error = Error::invalid("path_root_incomplete", kField,
                                 path.string() + " lacks the directories " + missing +
                                     " to mount on; jaild writes nothing to it, so they must be there");
    error.remedy = "mkdir" + places;
    return std::unexpected(std::move(error));
}

}  // namespace jaild::kernel
