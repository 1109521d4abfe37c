#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"

/// Device files of the host, as a jail gets them. Blocking, any thread.
namespace jaild::kernel {

struct Device {
    std::string path;  ///< beneath /dev: "net/tun"
    bool block = false;
    unsigned major = 0;
    unsigned minor = 0;
    mode_t mode = 0;  ///< permissions
    bool operator==(const Device&) const = default;
};

/// Those of `directory` (/dev) that `patterns` name, by path: character and block devices, no links; without those that
/// every jail has, and without what the kernel itself shows in /dev (terminals of devpts).
Result<std::vector<Device>> find_devices(const std::filesystem::path& directory,
                                         const std::vector<std::string>& patterns);

/// Errc::invalid "device_missing" with field /devices/N: a pattern that names none.
Result<void> check_devices(const std::filesystem::path& directory, const std::vector<std::string>& patterns);

}  // namespace jaild::kernel
