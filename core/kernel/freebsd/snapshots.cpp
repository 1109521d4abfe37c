#include "core/kernel/freebsd/snapshots.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/base/files.h"
#include "core/kernel/freebsd/jail_dataset_file.h"
#include "core/kernel/freebsd/pure/dataset_texts.h"
#include "core/kernel/freebsd/zfs_program.h"
#include "core/kernel/roots/place.h"

namespace jaild::kernel {
namespace {

namespace zfs = freebsd::zfs;

std::string parent_of(const std::string& dataset) {
    return dataset.substr(0, dataset.rfind('/'));
}

Error no_snapshot(const SnapshotKey& key) {
    return {.code = Errc::not_found,
            .op = "restore",
            .detail = "the pool has no snapshot " + std::to_string(key.id.value),
            .reason = "snapshot_missing"};
}

/// zfsprops(7), logicalreferenced: the bytes that it makes available, before compression.
Result<SnapshotSize> size_of(const std::string& snapshot) {
    const auto output = freebsd::run_zfs({"zfs", "get", "-Hp", "-o", "value", "logicalreferenced", snapshot});
    if (!output) return std::unexpected(output.error());
    SnapshotSize size;
    std::from_chars(output->data(), output->data() + output->size(), size.bytes);
    return size;
}

Error take_failed(Error error) {
    if (!freebsd::says(error, "out of space")) return error;
    error.code = Errc::exhausted;
    error.reason = "disk_full";
    error.remedy = "free space in the pool, or lower reservations: zfs list -o space";
    return error;
}

}  // namespace

Result<std::optional<freebsd::JailDatasets>> FreeBsdSnapshots::datasets(JailId id) const {
    const auto name = freebsd::dataset_in(jails_.path(id));
    if (!name) return std::unexpected(name.error());
    if (!*name) return std::nullopt;
    return freebsd::JailDatasets(instance_, parent_of(**name), id);
}

Result<std::optional<freebsd::JailDatasets>> FreeBsdSnapshots::source(const Restoration& restoration) const {
    const auto own = datasets(restoration.jail);
    if (!own || *own || restoration.keep) return own;
    return datasets(restoration.from.jail);
}

Result<std::vector<SnapshotKey>> FreeBsdSnapshots::list() {
    auto all = copies_.list();
    if (!all) return all;
    const auto jails = jails_.list();
    if (!jails) return std::unexpected(jails.error());
    std::set<std::string> parents;
    if (!parent_.empty()) parents.insert(parent_);
    for (const auto id : *jails)
        if (const auto name = freebsd::dataset_in(jails_.path(id)); name && *name) parents.insert(parent_of(**name));
    for (const auto& parent : parents) {
        const auto found = freebsd::JailDatasets(instance_, parent, JailId{}).snapshots();
        if (!found) continue;
        for (const auto& one : *found)
            if (one.key && !one.leaving && std::ranges::find(*jails, one.key->jail) != jails->end())
                all->push_back(*one.key);
    }
    std::ranges::sort(*all);
    return all;
}

Result<SnapshotSize> FreeBsdSnapshots::take(const SnapshotKey& key,
                                            const std::function<bool(const SnapshotSize&)>& go_on) {
    const auto jail = datasets(key.jail);
    if (!jail) return std::unexpected(jail.error());
    if (!*jail) return copies_.take(key, go_on);
    // An id is given once: one that is there is from an earlier try, and whole.
    const auto there = (*jail)->find(key);
    if (!there) return std::unexpected(there.error());
    if (*there) return size_of((*there)->name);
    if (const auto taken = freebsd::run_zfs(zfs::take((*jail)->name(), instance_, key)); !taken)
        return std::unexpected(take_failed(taken.error()));
    return size_of(zfs::snapshot_of((*jail)->name(), key.id));
}

Result<bool> FreeBsdSnapshots::staged(const Restoration& restoration) {
    const auto from = source(restoration);
    if (!from) return std::unexpected(from.error());
    if (!*from) return copies_.staged(restoration);
    if (restoration.keep) {
        const auto done = (*from)->restored(*restoration.keep);
        if (!done || *done) return done;
    }
    const auto found = (*from)->find(restoration.from);
    if (!found) return std::unexpected(found.error());
    return found->has_value();
}

/// There is nothing to do beforehand.
Result<void> FreeBsdSnapshots::stage(const Restoration& restoration) {
    const auto from = source(restoration);
    if (!from) return std::unexpected(from.error());
    if (!*from) return copies_.stage(restoration);
    const auto found = staged(restoration);
    if (!found) return std::unexpected(found.error());
    return *found ? Result<void>{} : std::unexpected(no_snapshot(restoration.from));
}

/// The new jail's, beneath the same parent.
Result<void> FreeBsdSnapshots::clone(const Restoration& restoration, const freebsd::JailDatasets& from) {
    const auto done = jails_.prepared(restoration.jail);
    if (!done) return std::unexpected(done.error());
    if (*done) return {};
    const auto snapshot = from.find(restoration.from);
    if (!snapshot) return std::unexpected(snapshot.error());
    if (!*snapshot) return std::unexpected(no_snapshot(restoration.from));
    const auto jail = jails_.make(restoration.jail);
    if (!jail) return std::unexpected(jail.error());
    const auto root = place::directory(jail->get(), "root", 0755);
    if (!root) return std::unexpected(root.error());
    const auto name = zfs::dataset(parent_of(from.name()), instance_, restoration.jail);
    if (auto written = freebsd::write_dataset(jail->get(), name); !written) return written;
    const auto own = freebsd::JailDatasets(instance_, parent_of(name), restoration.jail).family();
    if (!own) return std::unexpected(own.error());
    if (own->empty())
        if (const auto made =
                freebsd::run_zfs(zfs::clone((*snapshot)->name, name, zfs::owner(instance_, restoration.jail)));
            !made)
            return std::unexpected(made.error());
    return jails_.mark_prepared(jail->get());
}

Result<void> FreeBsdSnapshots::restore(const Restoration& restoration) {
    const auto from = source(restoration);
    if (!from) return std::unexpected(from.error());
    if (!*from) return copies_.restore(restoration);
    if (auto down = jails_.check_unmounted(restoration.jail, mounts_); !down) return down;
    // A crash may have come before the jail's mark.
    if (!restoration.keep) {
        const auto of = datasets(restoration.from.jail);
        if (!of) return std::unexpected(of.error());
        return clone(restoration, *of ? **of : **from);
    }
    if (auto done = (*from)->restore(restoration.from, *restoration.keep); !done) return done;
    const auto jail = jails_.make(restoration.jail);
    if (!jail) return std::unexpected(jail.error());
    return jails_.mark_prepared(jail->get());
}

Result<void> FreeBsdSnapshots::remove(const SnapshotKey& key) {
    const auto jail = datasets(key.jail);
    if (!jail) return std::unexpected(jail.error());
    if (!*jail) return copies_.remove(key);
    const auto found = (*jail)->find(key);
    if (!found) return std::unexpected(found.error());
    if (*found)
        if (const auto gone = freebsd::run_zfs(zfs::destroy_later((*found)->name)); !gone)
            return std::unexpected(gone.error());
    return (*jail)->tidy();
}

}  // namespace jaild::kernel
