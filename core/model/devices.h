#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"

/// Devices that a jail's /dev shows beyond the usual ones.
namespace jaild::model {

/// Paths beneath /dev, or patterns of fnmatch(3) with FNM_PATHNAME: "fuse", "tun*", "usb/*". At most
/// SpecLimits::devices, each of SpecLimits::device_bytes, beginning with a letter or digit: what begins with a wildcard
/// would show every device of the host. Errc::invalid "invalid_value", also for one that is given twice.
Result<std::vector<std::string>> parse_devices(const nlohmann::json& value, const std::string& at);

/// The same pattern, and those of the directories that lead to it: "usb", "usb/*".
std::vector<std::string> with_directories(const std::vector<std::string>& devices);

/// One of them names that path beneath /dev.
bool names_device(const std::vector<std::string>& devices, const std::string& path);

}  // namespace jaild::model
