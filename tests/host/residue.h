#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/ids.h"

/// Finds what an installation left in this machine's kernel. Read-only but for the functions that say otherwise.
namespace jaild::test::residue {

/// Mount points at or beneath a directory, the deepest last.
std::vector<std::string> mounts_beneath(const std::filesystem::path& directory);
/// Processes that name the state directory or, on Linux, the instance's containers in their arguments, or that are in
/// its cgroups, on FreeBSD in its jails. Never this process.
std::vector<pid_t> processes_of(const InstanceId& instance, const std::filesystem::path& state);
std::string describe(pid_t process);

/// Kills and waits until they are gone.
void kill_all(const std::vector<pid_t>& processes);
void unmount(const std::string& point);
/// Unmounts all beneath, then deletes the directory.
void remove_state(const std::filesystem::path& directory);

}  // namespace jaild::test::residue
