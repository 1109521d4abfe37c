#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/spawn.h"

/// Datasets that are handed to jails, as words and lines of zfs(8), and which may not be. Pure.
namespace jaild::kernel::freebsd::zfs {

/// A file system of a pool.
struct Filesystem {
    std::string name;
    bool jailed = false;
    bool jailed_here = false;  ///< `jailed` is set on itself, not inherited
    std::string mountpoint;    ///< as zfsprops(7) has it: "/srv/x", "none", "legacy"
    std::string owner;         ///< kOwnerProperty, inherited ones too; empty: none
    bool operator==(const Filesystem&) const = default;
};

/// What is mounted of ZFS, and where.
struct MountedDataset {
    std::string dataset;
    std::string point;
};

/// zfs-get(8) of what tree_of() reads: a file system and all beneath it.
Argv get_tree(const std::string& dataset);
/// In the order of zfs(8), the dataset itself first. Errc::corrupt when it is not what get_tree() prints.
Result<std::vector<Filesystem>> tree_of(std::string_view output);

/// What a jail must not be given.
struct Kept {
    std::string parent;  ///< the configured one of jaild's datasets; empty: there is none
    std::string state;   ///< jaild's state directory
};
/// Nothing of `tree`, whose first is the dataset, is jaild's, the host's root (of another boot environment either), or
/// mounted where the host itself or jaild stands; and all of it becomes the jail's when the dataset does. What is
/// `jailed` already is judged by where it is mounted only: its properties are what a jail's root made of them.
/// Errc::invalid "dataset_refused" with remedy.
Result<void> check_tree(const std::vector<Filesystem>& tree, const std::vector<MountedDataset>& mounted,
                        const Kept& kept);
/// Where something of it is mounted that is not beneath `root`; empty: nowhere.
std::string mounted_outside(const std::string& dataset, const std::vector<MountedDataset>& mounted,
                            const std::string& root);

Argv set_jailed(const std::string& dataset);
/// zfs-jail(8)
Argv jail(int jid, const std::string& dataset);
Argv unjail(int jid, const std::string& dataset);

}  // namespace jaild::kernel::freebsd::zfs
