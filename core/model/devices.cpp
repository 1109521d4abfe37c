#include "core/model/devices.h"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/ascii.h"
#include "core/model/fields.h"
#include "core/model/jail_spec.h"

namespace jaild::model {
namespace {

Result<void> check_device(std::string_view device, const std::string& at) {
    const auto refused = [&](const char* why) { return std::unexpected(Error::invalid("invalid_value", at, why)); };
    if (device.starts_with("/dev/")) return refused("a device is named without /dev/: \"fuse\", \"tun*\"");
    if (device.empty() || !is_alphanumeric(device.front()))
        return refused("a device begins with a letter or a digit: a wildcard there would show every device");
    const auto fits = [](char c) { return is_alphanumeric(c) || std::string_view("._-+:*?[]!/").contains(c); };
    if (!std::ranges::all_of(device, fits))
        return refused("a device is a path of letters, digits, \"._-+:\" and the wildcards *, ? and [...]");
    if (device.contains("//") || device.contains("./") || device.ends_with('/') || device.ends_with("/.") ||
        device.ends_with(".."))
        return refused("the path of a device has no empty part, and none of dots");
    return {};
}

}  // namespace

Result<std::vector<std::string>> parse_devices(const nlohmann::json& value, const std::string& at) {
    if (!value.is_array()) return std::unexpected(wrong_type(at, "an array"));
    if (value.size() > SpecLimits::devices) return std::unexpected(too_many(at, SpecLimits::devices));
    std::vector<std::string> devices;
    for (std::size_t index = 0; index < value.size(); ++index) {
        const auto where = pointer(at, index);
        auto device = read_text(value[index], where, SpecLimits::device_bytes);
        if (!device) return std::unexpected(device.error());
        if (auto good = check_device(*device, where); !good) return std::unexpected(good.error());
        if (std::ranges::find(devices, *device) != devices.end())
            return std::unexpected(Error::invalid("invalid_value", where, "it is named twice"));
        devices.push_back(*std::move(device));
    }
    return devices;
}

std::vector<std::string> with_directories(const std::vector<std::string>& devices) {
    std::vector<std::string> paths;
    const auto add = [&](std::string path) {
        if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
    };
    for (const auto& device : devices) {
        for (auto slash = device.find('/'); slash != std::string::npos; slash = device.find('/', slash + 1))
            add(device.substr(0, slash));
        add(device);
    }
    return paths;
}

bool names_device(const std::vector<std::string>& devices, const std::string& path) {
    return std::ranges::any_of(devices, [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
    });
}

}  // namespace jaild::model
