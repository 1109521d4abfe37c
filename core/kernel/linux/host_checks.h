#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/kernel/kernel.h"
#include "core/model/host.h"

/// Lines for `jaildctl doctor` about the kernel and the programs of this machine. Blocking. A check that cannot be made
/// says so in its detail.
namespace jaild::kernel {

/// mount_setattr(2) since 5.12. `release` as uname(2) has it.
model::Check check_kernel(std::string_view release);
model::Check check_runtime();
/// What links and rules are made of is in the kernel of that `release`, loaded, or there to be loaded when it is
/// needed: one line for each. `sys`: where sysfs(5) is mounted; `modules`: /lib/modules.
std::vector<model::Check> check_modules(std::string_view release, const std::filesystem::path& sys = "/sys",
                                        const std::filesystem::path& modules = "/lib/modules");
/// Version 2, or version 1 with the controllers that jails are counted by.
model::Check check_cgroups();
model::Check check_nftables(const DriverOptions& options);
/// Do AppArmor and SELinux, where they are on, confine jails too? `sys`: where sysfs(5) is mounted.
model::Check check_mandatory_access(const std::filesystem::path& sys = "/sys");

}  // namespace jaild::kernel
