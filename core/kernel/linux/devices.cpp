#include "core/kernel/linux/devices.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/model/devices.h"

namespace jaild::kernel {
namespace {

namespace fs = std::filesystem;

/// The OCI runtime makes these itself (runtime-spec, config-linux.md, "Default Devices"), and mounts the directories.
constexpr std::array<std::string_view, 8> kOwn{"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"};
constexpr std::array<std::string_view, 5> kMounted{"pts", "shm", "mqueue", "fd", "hugepages"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

Result<std::vector<Device>> find_devices(const fs::path& directory, const std::vector<std::string>& patterns) {
    std::vector<Device> found;
    if (patterns.empty()) return found;
    std::error_code failed;
    for (fs::recursive_directory_iterator at(directory, failed), end; !failed && at != end; at.increment(failed)) {
        const auto path = at->path().lexically_relative(directory).string();
        struct stat seen {};
        // What goes meanwhile is no device any more.
        if (::lstat(at->path().c_str(), &seen) != 0) continue;
        if (S_ISDIR(seen.st_mode) && is_one_of(kMounted, path)) at.disable_recursion_pending();
        const bool block = S_ISBLK(seen.st_mode);
        if ((!block && !S_ISCHR(seen.st_mode)) || is_one_of(kOwn, path) || !model::names_device(patterns, path))
            continue;
        found.push_back({.path = path,
                         .block = block,
                         .major = ::major(seen.st_rdev),
                         .minor = ::minor(seen.st_rdev),
                         .mode = static_cast<mode_t>(seen.st_mode & 0777)});
    }
    if (failed) return std::unexpected(Error::from_errno("readdir", failed.value(), directory));
    std::ranges::sort(found, {}, &Device::path);
    return found;
}

Result<void> check_devices(const fs::path& directory, const std::vector<std::string>& patterns) {
    for (std::size_t index = 0; index < patterns.size(); ++index) {
        const auto some = find_devices(directory, {patterns[index]});
        if (!some) return std::unexpected(some.error());
        if (!some->empty()) continue;
        auto error = Error::invalid("device_missing", fmt::format("/devices/{}", index),
                                    fmt::format("{}/{} is no device of this host that a jail does not have anyway",
                                                directory.string(), patterns[index]));
        error.remedy = "load the module that makes it, or leave it out";
        return std::unexpected(std::move(error));
    }
    return {};
}

}  // namespace jaild::kernel
