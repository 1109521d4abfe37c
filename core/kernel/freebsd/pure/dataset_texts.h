#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/spawn.h"

/// Datasets of zfs(8) as words and lines. Pure.
namespace jaild::kernel::freebsd::zfs {

/// Ours is what is directly beneath the configured parent, has this property set on itself, and is not handed to a jail
/// (user properties are inherited, and a jail that `jailed=on` gives a dataset to may set them).
inline constexpr const char* kOwnerProperty = "jaild:owner";

/// "k3f9a-12"; the dataset of a jail's root is "<parent>/k3f9a-12".
std::string dataset(const std::string& parent, const InstanceId& instance, JailId id);
/// "k3f9a:jail:12"
std::string owner(const InstanceId& instance, JailId id);

/// zfs-create(8): not mounted by itself at any time (canmount=noauto, mountpoint=legacy), marked in the same step.
Argv create(const std::string& dataset, const std::string& owner);
/// Without -r: a snapshot or a child that somebody made keeps it.
Argv destroy(const std::string& dataset);
/// zfs-get(8) of what listed() reads: the parent's children.
Argv list(const std::string& parent);

/// The jails of this instance that have a dataset. Errc::corrupt when it is not what list() prints.
Result<std::vector<JailId>> listed(std::string_view output, const std::string& parent, const InstanceId& instance);

/// Errc::invalid "invalid_dataset": zfs(8), "ZFS Component Naming Requirements".
Result<void> check_name(std::string_view dataset);

}  // namespace jaild::kernel::freebsd::zfs
