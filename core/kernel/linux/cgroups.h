#pragma once

#include <chrono>
#include <filesystem>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"

/// The control groups of our jails, cgroups(7): `jaild/<instance>/<id>` in every hierarchy of the host, be it the one
/// of version 2 or the many of version 1. The OCI runtime makes them. Blocking, any thread.
namespace jaild::kernel::cgroups {

/// Where hierarchies are mounted, from /proc/self/mountinfo. They stay the same while a system runs.
using Hierarchies = std::vector<std::filesystem::path>;
Result<Hierarchies> hierarchies();

/// Jails of this installation that have a group in any of `hierarchies`.
Result<std::vector<JailId>> list(const Hierarchies& hierarchies, const InstanceId& instance);
Result<bool> exists(const Hierarchies& hierarchies, const InstanceId& instance, JailId id);

/// Kills every process in the jail's groups and removes them, in all hierarchies. Errc::busy when something in them
/// does not end before `deadline`. Missing: success.
Result<void> remove(const Hierarchies& hierarchies, const InstanceId& instance, JailId id,
                    std::chrono::steady_clock::time_point deadline);

/// Removes `jaild/<instance>` and `jaild` where they are empty.
void remove_empty_parents(const Hierarchies& hierarchies, const InstanceId& instance);

}  // namespace jaild::kernel::cgroups
