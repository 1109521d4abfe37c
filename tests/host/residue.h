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
/// Processes that name the state directory or the instance's containers in their arguments, or sit in its cgroups.
/// Never this process.
std::vector<pid_t> processes_of(const InstanceId& instance, const std::filesystem::path& state);
std::string describe(pid_t process);
/// Network namespaces by name.
std::vector<std::string> namespaces_of(const InstanceId& instance);
/// Directories of control groups, children first.
std::vector<std::filesystem::path> groups_of(const InstanceId& instance);
/// Directories beneath /run.
std::vector<std::filesystem::path> runtime_directories_of(const InstanceId& instance);

/// Kills and waits until they are gone.
void kill_all(const std::vector<pid_t>& processes);
/// Unmounts all beneath, then deletes the directory.
void remove_state(const std::filesystem::path& directory);

}  // namespace jaild::test::residue
