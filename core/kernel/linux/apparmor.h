#pragma once

#include <filesystem>
#include <string>
#include <string_view>

/// apparmor(7): a jail's processes run under one profile of ours where this host has AppArmor on. Blocking, any thread.
namespace jaild::kernel::apparmor {

inline constexpr std::string_view kProfile = "jaild-default";

enum class State {
    off,
    missing,  ///< on, but the profile is not loaded, or cannot be seen from here
    loaded,   ///< by us, or an administrator's own of that name
};
/// `sys`: where sysfs(5) is mounted.
State state(const std::filesystem::path& sys = "/sys");

/// The profile's source, apparmor.d(5). It needs no other file.
std::string_view profile_text();

/// The profile for a new jail, loaded by apparmor_parser(8) when it is missing. Empty where AppArmor is off, and where
/// it cannot be loaded, which `jaildctl doctor` warns of: capabilities, seccomp and mounts confine the jail all the
/// same.
std::string ensure_profile();

}  // namespace jaild::kernel::apparmor
