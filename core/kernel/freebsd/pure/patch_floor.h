#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/host.h"

/// Is this kernel patched against what lets a jail's root out? Pure.
namespace jaild::kernel::freebsd {

/// "14.4-RELEASE-p9" as uname(3) has it.
struct Release {
    int major = 0;
    int minor = 0;
    std::string branch;  ///< "RELEASE", "STABLE", "CURRENT", "BETA2"
    int patch = 0;
    bool operator==(const Release&) const = default;
};
std::optional<Release> parse_release(std::string_view text);

/// A line of `jaildctl doctor`.
model::Check check_patch_floor(std::string_view release);

}  // namespace jaild::kernel::freebsd
