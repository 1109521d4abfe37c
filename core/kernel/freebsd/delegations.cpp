#include "core/kernel/freebsd/delegations.h"

#include <algorithm>

#include "core/kernel/freebsd/mount_api.h"
#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/zfs_program.h"

namespace jaild::kernel {
namespace {

namespace zfs = freebsd::zfs;

/// What zfs(8) says of a dataset that it does not list, as the user's own fault or the host's.
Error not_listed(const std::string& dataset, Error said) {
    const auto refused = [&](std::string_view reason, std::string detail, std::string remedy) {
        auto error = Error::invalid(reason, {}, std::move(detail));
        error.op = "zfs";
        error.remedy = std::move(remedy);
        return error;
    };
    if (freebsd::says(said, "does not exist"))
        return refused("dataset_missing", "there is no dataset " + dataset, "make it: zfs create " + dataset);
    if (freebsd::says(said, "not applicable"))
        return refused("dataset_refused", dataset + " is a volume, and only file systems are given to jails",
                       "give the jail a dataset that was made for it: zfs create");
    // libzfs_error_init() of libzfs.
    if (!freebsd::says(said, "ZFS modules") && !freebsd::says(said, "libzfs") && !freebsd::says(said, "/dev/zfs"))
        return said;
    said.code = Errc::unsupported;
    said.reason = "datasets_unsupported";
    said.remedy = "kldload zfs; sysrc zfs_enable=YES";
    return said;
}

Error not_alive() {
    return {.code = Errc::conflict, .op = "zfs", .detail = "the jail is not running", .reason = "jail_not_running"};
}

Error held(const std::string& dataset, std::string detail, std::string remedy) {
    return {.code = Errc::busy,
            .op = "zfs",
            .detail = dataset + " is in use on the host: " + std::move(detail),
            .reason = "dataset_busy",
            .remedy = std::move(remedy)};
}

Result<std::vector<zfs::MountedDataset>> mounted_datasets() {
    const auto mounts = freebsd::mount_api::all();
    if (!mounts) return std::unexpected(mounts.error());
    std::vector<zfs::MountedDataset> all;
    for (const auto& one : *mounts)
        if (one.type == "zfs") all.push_back({.dataset = one.from, .point = one.point});
    return all;
}

}  // namespace

Result<std::vector<zfs::Filesystem>> FreeBsdDelegations::look(const std::string& dataset) const {
    const auto output = freebsd::run_zfs(zfs::get_tree(dataset));
    if (!output) return std::unexpected(not_listed(dataset, output.error()));
    auto tree = zfs::tree_of(*output);
    if (!tree) return tree;
    const auto mounted = mounted_datasets();
    if (!mounted) return std::unexpected(mounted.error());
    const zfs::Kept kept{.parent = parent_, .state = places_.state.string()};
    if (auto good = zfs::check_tree(*tree, *mounted, kept); !good) return std::unexpected(good.error());
    return tree;
}

Result<void> FreeBsdDelegations::check(const std::string& dataset) {
    const auto tree = look(dataset);
    return tree ? Result<void>{} : std::unexpected(tree.error());
}

Result<void> FreeBsdDelegations::attach(JailId id, const std::string& dataset) {
    const auto prison = freebsd::our_prison(places_, id);
    if (!prison) return std::unexpected(prison.error());
    if (!*prison) return std::unexpected(not_alive());
    const auto tree = look(dataset);
    if (!tree) return std::unexpected(tree.error());
    if (!std::ranges::all_of(*tree, &zfs::Filesystem::jailed)) {
        const auto set = freebsd::run_zfs(zfs::set_jailed(dataset));
        if (!set && freebsd::says(set.error(), "busy"))
            return std::unexpected(
                held(dataset, set.error().detail, "see what uses it: fstat -f " + tree->front().mountpoint));
        if (!set) return std::unexpected(set.error());
    }
    const auto mounted = mounted_datasets();
    if (!mounted) return std::unexpected(mounted.error());
    if (const auto point = zfs::mounted_outside(dataset, *mounted, places_.root(id).string()); !point.empty())
        return std::unexpected(held(dataset, "it is mounted at " + point, "umount " + point));
    // The number may be another jail's by now.
    if (!freebsd::is_still(freebsd::reference(**prison))) return std::unexpected(not_alive());
    const auto given = freebsd::run_zfs(zfs::jail((*prison)->jid, dataset));
    if (given || freebsd::says(given.error(), "already exists")) return {};
    return std::unexpected(given.error());
}

Result<void> FreeBsdDelegations::detach(JailId id, const std::string& dataset) {
    const auto prison = freebsd::our_prison(places_, id);
    if (!prison) return std::unexpected(prison.error());
    if (!*prison || !freebsd::is_still(freebsd::reference(**prison))) return {};
    const auto taken = freebsd::run_zfs(zfs::unjail((*prison)->jid, dataset));
    if (taken || freebsd::says(taken.error(), "does not exist")) return {};
    return std::unexpected(taken.error());
}

}  // namespace jaild::kernel
