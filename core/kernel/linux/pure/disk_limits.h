#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/kernel/linux/pure/limit_knobs.h"

/// What a jail may read from and write to the disk that its root is on: blkio.throttle.*_device of version 1, io.max of
/// version 2, in which each disk has a line. Pure.
namespace jaild::kernel::cgroups {

/// A whole disk, by the numbers of its device.
struct DiskId {
    unsigned major = 0;
    unsigned minor = 0;
    [[nodiscard]] std::string text() const;  ///< "254:0"
};

/// These need to know the disk.
bool any_of_disk(const model::Limits& limits);
/// What is written for that amount a second; nothing: for no limit.
std::string disk_text(const Knob& knob, Version version, DiskId disk, std::optional<std::int64_t> amount);
/// What is in force there, of all that the file says; nothing: no limit of that disk.
std::optional<model::LimitRule> disk_rule(const Knob& knob, Version version, DiskId disk, std::string_view text);
/// `linux.resources.blockIO` of the OCI runtime-spec for these limits.
nlohmann::json oci_throttles(const model::Limits& limits, DiskId disk);

}  // namespace jaild::kernel::cgroups
