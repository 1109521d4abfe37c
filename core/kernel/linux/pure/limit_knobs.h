#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/limits.h"

/// Limits of rctl(8) as control groups have them: memory.limit_in_bytes and memory.max, pids.max, cpu.cfs_quota_us and
/// cpu.max (the kernel's admin-guide/cgroup-v1 and cgroup-v2.rst), and those of disk_limits.h. Pure.
namespace jaild::kernel::cgroups {

enum class Version { v1, v2 };

/// Tasks that a jail may have when nobody asks for less or more: as containers.conf(5), pids_limit.
inline constexpr std::int64_t kTasks = 2048;

/// A limit as a file of a jail's group.
struct Knob {
    std::string_view resource;    ///< of rctl(8)
    std::string_view controller;  ///< of version 1; "memory"
    std::string_view v1;          ///< the file
    std::string_view v2;
    std::string_view key{};  ///< of a disk's (disk_limits.h): what version 2 calls it
    [[nodiscard]] bool of_disk() const { return !key.empty(); }
    /// A word of cgroup.controllers.
    [[nodiscard]] std::string_view v2_controller() const { return of_disk() ? "io" : controller; }
    [[nodiscard]] std::string_view file(Version version) const { return version == Version::v1 ? v1 : v2; }
};
/// All that there is here.
const std::vector<Knob>& knobs();
/// nullptr: control groups do not limit that.
const Knob* knob_of(std::string_view resource);

/// Of one that is not of_disk(): what is written for that amount; nothing: for no limit of the jail's own.
std::string knob_text(const Knob& knob, Version version, std::optional<std::int64_t> amount);
/// Likewise, what is in force, as a rule; nothing: no limit of the jail's own. With `asked` as what was asked for,
/// where that is what the kernel makes of it: it keeps whole pages.
std::optional<model::LimitRule> knob_rule(const Knob& knob, std::string_view text, const model::Limits& asked);

/// Errc::unsupported "limits_unsupported", Errc::invalid "invalid_value"; their fields are "/memoryuse/action" and so
/// on.
Result<void> check_knobs(const model::Limits& limits);

/// `linux.resources` of the OCI runtime-spec for these limits, but those of disks, and the bound on tasks that every
/// jail has.
nlohmann::json oci_limits(const model::Limits& limits);

}  // namespace jaild::kernel::cgroups
