#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/spawn.h"
#include "core/model/jail_spec.h"

/// Datasets of zfs(8) as words and lines. Pure.
namespace jaild::kernel::freebsd::zfs {

/// Ours is what is directly beneath the configured parent, has this property set on itself, and is not handed to a jail
/// (user properties are inherited, and a jail that `jailed=on` gives a dataset to may set them).
inline constexpr const char* kOwnerProperty = "jaild:owner";

/// The snapshot of a template that is ready: what clones are made of.
inline constexpr const char* kBaseSnapshot = "base";

/// "<parent>/k3f9a-12": of a jail's root; "<parent>/k3f9a-t12": of a template's tree.
std::string dataset(const std::string& parent, const InstanceId& instance, JailId id);
std::string dataset(const std::string& parent, const InstanceId& instance, TemplateId id);
/// "k3f9a:jail:12", "k3f9a:template:12"
std::string owner(const InstanceId& instance, JailId id);
std::string owner(const InstanceId& instance, TemplateId id);
/// "zroot" of "zroot/jaild/k3f9a-12".
std::string_view pool_of(std::string_view dataset);

/// zfs-create(8): not mounted by itself at any time (canmount=noauto, mountpoint=legacy), marked in the same step.
Argv create(const std::string& dataset, const std::string& owner);
/// zfs-clone(8): the same of a dataset that begins as `snapshot` is.
Argv clone(const std::string& snapshot, const std::string& dataset, const std::string& owner);
Argv set(const std::string& dataset, const std::string& property, const std::string& value);
Argv snapshot(const std::string& snapshot);
/// Without -r: a snapshot or a child that somebody made keeps it, and of a snapshot, a clone.
Argv destroy(const std::string& dataset);
/// zfs-get(8) of what listed() reads: the parent's children.
Argv list(const std::string& parent);

/// Those of this instance that have a dataset. Errc::corrupt when it is not what list() prints.
Result<std::vector<JailId>> jails(std::string_view output, const std::string& parent, const InstanceId& instance);
Result<std::vector<TemplateId>> templates(std::string_view output, const std::string& parent,
                                          const InstanceId& instance);

/// zfs-get(8) of what storage_of() reads: the storage of a dataset, or of all children of a parent too.
enum class Depth { itself, children };
Argv get_storage(const std::string& dataset, Depth depth);
/// By dataset. A quota is `refquota`: the jail's own files. `quota` would count snapshots too, so that keeping what was
/// deleted ate up the room of the jail, and a schedule of snapshots would fill it. For the same reason a reservation is
/// `refreservation`: it is for the jail's files, and no snapshot is taken that the pool has no room for beside it.
/// (zfsprops(7).) What is inherited counts as nothing: the administrator's choice for all. Errc::corrupt as jails().
Result<std::map<std::string, model::Storage>> storage_of(std::string_view output);
/// The commands that make `from` `to`, in an order in which the reservation never is above the quota.
std::vector<Argv> set_storage(const std::string& dataset, const model::Storage& from, const model::Storage& to);

/// Errc::invalid "invalid_dataset": zfs(8), "ZFS Component Naming Requirements".
Result<void> check_name(std::string_view dataset);

}  // namespace jaild::kernel::freebsd::zfs
