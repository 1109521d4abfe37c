#include "core/kernel/freebsd/jail_datasets.h"

#include <poll.h>

#include <algorithm>

#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/zfs_program.h"

namespace jaild::kernel::freebsd {
namespace {

/// How often a dataset is tried to be destroyed: the last vnodes of an unmounted root are let go a moment later.
constexpr int kFamilyAttempts = 5;
constexpr int kFamilyPauseMilliseconds = 100;
/// More promotions than this are no way out of a family.
constexpr int kPromotions = 64;

Error family_busy(Error error, const std::string& name) {
    error.code = Errc::busy;
    error.reason = "dataset_busy";
    error.remedy = "see what holds it: zfs list -t all -o name,origin -r " + name;
    return error;
}

Result<void> do_zfs(const Argv& argv) {
    const auto done = run_zfs(argv);
    return done ? Result<void>{} : std::unexpected(done.error());
}

Result<void> destroy_member(const std::string& name) {
    for (int attempt = 1;; ++attempt) {
        const auto gone = do_zfs(zfs::destroy(name));
        if (gone || says(gone.error(), "does not exist")) return {};
        if (attempt == kFamilyAttempts) return std::unexpected(family_busy(gone.error(), name));
        ::poll(nullptr, 0, kFamilyPauseMilliseconds);
    }
}

}  // namespace

JailDatasets::JailDatasets(InstanceId instance, std::string parent, JailId id)
    : instance_(std::move(instance)),
      parent_(std::move(parent)),
      id_(id),
      name_(zfs::dataset(parent_, instance_, id)) {}

bool JailDatasets::is_member(const std::string& dataset) const {
    return dataset == name_ || dataset.starts_with(name_ + ".");
}

Result<std::vector<zfs::Member>> JailDatasets::family() const {
    const auto output = run_zfs(zfs::list_origins(parent_));
    if (!output) return std::unexpected(output.error());
    return zfs::family_in(*output, parent_, instance_, id_);
}

Result<std::vector<zfs::Snapshot>> JailDatasets::snapshots() const {
    const auto output = run_zfs(zfs::list_snapshots(parent_));
    if (!output) return std::unexpected(output.error());
    return zfs::snapshots_in(*output, instance_);
}

Result<std::optional<zfs::Snapshot>> JailDatasets::find(const SnapshotKey& key) const {
    auto all = snapshots();
    if (!all) return std::unexpected(all.error());
    const auto found =
        std::ranges::find_if(*all, [&](const zfs::Snapshot& one) { return one.key == key && !one.leaving; });
    return found == all->end() ? std::nullopt : std::optional(std::move(*found));
}

Result<bool> JailDatasets::restored(SnapshotId keep) const {
    const auto members = family();
    if (!members) return std::unexpected(members.error());
    const auto root = std::ranges::find(*members, name_, &zfs::Member::name);
    const auto old = std::ranges::find(*members, zfs::aside(name_, keep), &zfs::Member::name);
    return root != members->end() && old != members->end() &&
           !is_member(root->origin.substr(0, root->origin.find('@')));
}

/// Each promotion takes over the snapshots that the origin has up to the one that this is a clone of: then that one
/// depends on this, and can go when its last snapshot does.
Result<void> JailDatasets::promote() const {
    for (int turn = 0; turn < kPromotions; ++turn) {
        const auto members = family();
        if (!members) return std::unexpected(members.error());
        const auto root = std::ranges::find(*members, name_, &zfs::Member::name);
        if (root == members->end() || !is_member(root->origin.substr(0, root->origin.find('@')))) return {};
        if (auto done = do_zfs(zfs::promote(name_)); !done) return done;
    }
    return std::unexpected(Error{.code = Errc::corrupt, .op = "zfs", .detail = name_ + " has no end of origins"});
}

/// Each step can be seen afterwards: a crash between two of them is gone on from. There is the snapshot `keep`; then
/// the dataset aside, of that name, and no other; then the clone under the root's name; then it is nobody's clone.
Result<void> JailDatasets::restore(const SnapshotKey& from, SnapshotId keep) const {
    const auto members = family();
    if (!members) return std::unexpected(members.error());
    const auto has = [&](const std::string& name) {
        return std::ranges::find(*members, name, &zfs::Member::name) != members->end();
    };
    const auto old = zfs::aside(name_, keep);
    const bool moved = has(old);
    if (!moved || !has(name_)) {
        auto source = find(from);
        if (!source) return std::unexpected(source.error());
        if (!*source)
            return std::unexpected(Error{.code = Errc::not_found,
                                         .op = "restore",
                                         .detail = "there is no such snapshot of " + name_,
                                         .reason = "snapshot_missing"});
        if (!moved) {
            const auto kept = find({.jail = id_, .id = keep});
            if (!kept) return std::unexpected(kept.error());
            if (!*kept)
                if (auto taken = do_zfs(zfs::take(name_, instance_, {.jail = id_, .id = keep})); !taken) return taken;
            if (auto renamed = do_zfs(zfs::rename(name_, old)); !renamed) return renamed;
            source = find(from);
            if (!source) return std::unexpected(source.error());
        }
        const auto cloned = do_zfs(zfs::clone((*source)->name, name_, zfs::owner(instance_, id_)));
        if (!cloned) return cloned;
    }
    if (auto promoted = promote(); !promoted) return promoted;
    return tidy();
}

Result<void> JailDatasets::tidy() const {
    const auto members = family();
    if (!members) return std::unexpected(members.error());
    const auto all = snapshots();
    if (!all) return std::unexpected(all.error());
    for (const auto& one : *members) {
        if (one.name == name_ || std::ranges::find(*all, one.name, &zfs::Snapshot::dataset) != all->end()) continue;
        if (auto gone = destroy_member(one.name); !gone) return gone;
    }
    return {};
}

Result<void> JailDatasets::let_go_of_clones() const {
    for (int turn = 0; turn < kPromotions; ++turn) {
        const auto all = snapshots();
        if (!all) return std::unexpected(all.error());
        std::string clone;
        for (const auto& one : *all)
            if (is_member(one.dataset()))
                for (const auto& other : one.clones)
                    if (!is_member(other)) clone = other;
        if (clone.empty()) return {};
        if (auto done = do_zfs(zfs::promote(clone)); !done) return std::unexpected(family_busy(done.error(), clone));
    }
    return std::unexpected(Error{.code = Errc::corrupt, .op = "zfs", .detail = name_ + " has no end of clones"});
}

/// Those of this jail, wherever they are.
Result<void> JailDatasets::destroy_snapshots() const {
    const auto all = snapshots();
    if (!all) return std::unexpected(all.error());
    for (const auto& one : *all)
        if (one.key && one.key->jail == id_ && !one.leaving)
            if (auto gone = do_zfs(zfs::destroy_later(one.name)); !gone && !says(gone.error(), "does not exist"))
                return std::unexpected(family_busy(gone.error(), one.name));
    return {};
}

Result<void> JailDatasets::destroy() const {
    auto members = family();
    if (!members) return std::unexpected(members.error());
    if (!members->empty()) {
        const auto all = snapshots();
        if (!all) return std::unexpected(all.error());
        for (const auto& one : *all)
            if (is_member(one.dataset()) && !one.key)
                return std::unexpected(family_busy(
                    Error{.code = Errc::busy, .op = "zfs", .detail = one.name + " is none of jaild's snapshots"},
                    name_));
        if (auto free = let_go_of_clones(); !free) return free;
    }
    if (auto gone = destroy_snapshots(); !gone) return gone;
    // Those that others are clones of last: a snapshot goes with its last clone.
    while (!members->empty()) {
        const auto is_origin = [&](const zfs::Member& one) {
            return std::ranges::any_of(
                *members, [&](const zfs::Member& other) { return other.origin.starts_with(one.name + "@"); });
        };
        auto next = std::ranges::find_if_not(*members, is_origin);
        if (next == members->end()) next = members->begin();
        if (auto gone = destroy_member(next->name); !gone) return gone;
        members = family();
        if (!members) return std::unexpected(members.error());
    }
    return {};
}

}  // namespace jaild::kernel::freebsd
