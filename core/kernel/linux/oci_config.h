#pragma once

#include <sys/resource.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/kernel/jails.h"
#include "core/kernel/linux/devices.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/pure/disk_limits.h"

/// What the OCI runtime is told (runtime-spec 1.0.2, config.json): never less confined than podman's default.
namespace jaild::kernel {

/// Where the pause program is seen inside; on the tmpfs /dev, so nothing is written into the root.
inline constexpr const char* kPausePath = "/dev/.jaild-pause";

/// The whole config.json of a jail: its process 1 is jaild-pause. `apparmor_profile` is that of all its processes, as
/// apparmor::ensure_profile() gives it; empty: none. `devices`: beyond those that every jail has.
nlohmann::json oci_config(const Layout& layout, const JailParameters& parameters, const std::string& apparmor_profile,
                          const std::vector<Device>& devices = {}, const std::optional<cgroups::DiskId>& disk = {});

/// `process.capabilities`, for process 1 and for every program that is started beside it.
nlohmann::json oci_capabilities();
/// `process.rlimits`.
nlohmann::json oci_rlimits(const rlimit& files);

}  // namespace jaild::kernel
