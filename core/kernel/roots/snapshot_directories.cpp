#include "core/kernel/roots/snapshot_directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "core/base/copy_tree.h"
#include "core/base/files.h"
#include "core/kernel/roots/numbered.h"

namespace jaild::kernel {
namespace {

namespace fs = std::filesystem;
using GoOn = std::function<bool(const SnapshotSize&)>;

constexpr const char* kSnapshots = "snapshots";
/// What a jail writes into. `local` is the private /usr/local of template `host` on Linux.
constexpr std::array<const char*, 2> kParts{"root", "local"};
/// One that is not whole yet, and one on its way out.
constexpr std::string_view kMaking = ".making";
constexpr std::string_view kLeaving = ".removing";
/// What becomes the jail's root: while it is copied, and once it is whole.
constexpr const char* kCopying = "restoring";
constexpr const char* kCopied = "restored";

std::string snapshot_name(SnapshotId id, std::string_view ending = {}) {
    return std::to_string(id.value).append(ending);
}

Result<bool> there(int directory, const std::string& name) {
    struct stat seen {};
    if (::fstatat(directory, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno == ENOENT) return false;
    return std::unexpected(Error::from_errno("fstatat", errno, name));
}

Result<void> rename(int from, const std::string& name, int to, const std::string& target) {
    if (::renameat(from, name.c_str(), to, target.c_str()) == 0) return {};
    return std::unexpected(Error::from_errno("renameat", errno, target));
}

/// A root on a dataset of its own (FreeBSD) is not in the directory while the jail is down.
Result<void> check_no_dataset(int jail) {
    const auto dataset = there(jail, "dataset");
    if (!dataset) return std::unexpected(dataset.error());
    if (!*dataset) return {};
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "snapshots",
                                 .detail = "the root of this jail is a dataset, and its snapshots are no copies",
                                 .reason = "root_is_dataset",
                                 .remedy = "use zfs snapshot"});
}

/// An empty directory of that name, whatever was there before.
Result<UniqueFd> make_anew(int parent, const std::string& name) {
    if (auto gone = files::remove_tree(parent, name); !gone) return std::unexpected(gone.error());
    return files::make_directories(parent, name, 0700);
}

/// Copies the parts that there are from one directory to the other.
Result<SnapshotSize> copy_parts(int from, int to, const GoOn& go_on) {
    SnapshotSize all;
    bool any = false;
    for (const char* part : kParts) {
        const auto source = files::open_beneath(from, part, O_RDONLY | O_DIRECTORY);
        if (!source && source.error().code == Errc::not_found) continue;
        if (!source) return std::unexpected(source.error());
        const auto target = files::make_directories(to, part, 0700);
        if (!target) return std::unexpected(target.error());
        const auto sum = [&](const files::CopyTotals& now) {
            return SnapshotSize{.entries = all.entries + now.entries,
                                .bytes = all.bytes + now.bytes,
                                .left_out = all.left_out + now.left_out};
        };
        files::CopyOptions options{.mounts = files::MountsBeneath::leave_out};
        if (go_on) options.go_on = [&](const files::CopyTotals& now) { return go_on(sum(now)); };
        const auto copied = files::copy_tree(source->get(), target->get(), options);
        if (!copied) return std::unexpected(copied.error());
        all = sum(*copied);
        any = true;
    }
    if (!any)
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "copy_root",
                                     .detail = "there is no root to copy",
                                     .reason = "root_missing"});
    // What is renamed next must not vouch for files that a power failure could still empty.
    if (auto synced = files::sync_filesystem(to); !synced) return std::unexpected(synced.error());
    return all;
}

/// Moves what was the root into the snapshot `id`. Finishes what a crash left half-moved.
Result<void> keep_root(int jail, SnapshotId id) {
    const auto all = files::make_directories(jail, kSnapshots, 0700);
    if (!all) return std::unexpected(all.error());
    const auto kept = there(all->get(), snapshot_name(id));
    if (!kept) return std::unexpected(kept.error());
    if (*kept) return {};
    const auto keeping = files::make_directories(all->get(), snapshot_name(id, kMaking), 0700);
    if (!keeping) return std::unexpected(keeping.error());
    for (const char* part : kParts) {
        if (::renameat(jail, part, keeping->get(), part) == 0 || errno == ENOENT) continue;
        return std::unexpected(Error::from_errno("renameat", errno, part));
    }
    return rename(all->get(), snapshot_name(id, kMaking), all->get(), snapshot_name(id));
}

/// Moves what was copied to where the root is. Finishes what a crash left half-moved.
Result<void> move_in(int jail) {
    const auto copied = files::open_beneath(jail, kCopied, O_RDONLY | O_DIRECTORY);
    if (!copied) return std::unexpected(copied.error());
    for (const char* part : kParts) {
        const auto waiting = there(copied->get(), part);
        if (!waiting) return std::unexpected(waiting.error());
        if (!*waiting) continue;
        // Of a new jail whose root was begun in another way.
        if (auto gone = files::remove_tree(jail, part); !gone) return gone;
        if (auto moved = rename(copied->get(), part, jail, part); !moved) return moved;
    }
    if (::unlinkat(jail, kCopied, AT_REMOVEDIR) != 0) return std::unexpected(Error::from_errno("rmdir", errno));
    return {};
}

}  // namespace

Result<std::vector<SnapshotKey>> SnapshotDirectories::list(JailId jail) const {
    const auto ids = numbered<SnapshotId>(directories_.path(jail) / kSnapshots, {kMaking, kLeaving});
    if (!ids) return std::unexpected(ids.error());
    std::vector<SnapshotKey> keys;
    for (const auto id : *ids) keys.push_back({.jail = jail, .id = id});
    return keys;
}

Result<std::vector<SnapshotKey>> SnapshotDirectories::list() {
    const auto jails = directories_.list();
    if (!jails) return std::unexpected(jails.error());
    std::vector<SnapshotKey> all;
    for (const auto jail : *jails) {
        const auto keys = list(jail);
        if (!keys) return keys;
        all.insert(all.end(), keys->begin(), keys->end());
    }
    return all;
}

Result<SnapshotSize> SnapshotDirectories::take(const SnapshotKey& key, const GoOn& go_on) {
    const auto jail = files::open_directory(directories_.path(key.jail));
    if (!jail) return std::unexpected(jail.error());
    if (auto here = check_no_dataset(jail->get()); !here) return std::unexpected(here.error());
    const auto all = files::make_directories(jail->get(), kSnapshots, 0700);
    if (!all) return std::unexpected(all.error());
    // The name of one that is finished is not taken away again.
    if (auto gone = remove(key); !gone) return std::unexpected(gone.error());
    const auto making = make_anew(all->get(), snapshot_name(key.id, kMaking));
    if (!making) return std::unexpected(making.error());
    auto size = copy_parts(jail->get(), making->get(), go_on);
    if (size)
        if (auto named = rename(all->get(), snapshot_name(key.id, kMaking), all->get(), snapshot_name(key.id)); !named)
            size = std::unexpected(named.error());
    // What it takes up can be what is missing elsewhere.
    if (!size) static_cast<void>(remove(key));
    return size;
}

Result<void> SnapshotDirectories::stage(int jail, const Restoration& restoration) const {
    if (auto here = check_no_dataset(jail); !here) return here;
    const auto copied = there(jail, kCopied);
    if (!copied) return std::unexpected(copied.error());
    if (*copied) return {};
    const auto source = files::open_directory(directories_.path(restoration.from.jail) / kSnapshots /
                                              snapshot_name(restoration.from.id));
    if (!source && source.error().code == Errc::not_found)
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "restore",
                                     .detail = "the snapshot is not on disk: " + source.error().detail,
                                     .reason = "snapshot_missing"});
    if (!source) return std::unexpected(source.error());
    const auto copying = make_anew(jail, kCopying);
    if (!copying) return std::unexpected(copying.error());
    const auto done = copy_parts(source->get(), copying->get(), {});
    if (done) return rename(jail, kCopying, jail, kCopied);
    static_cast<void>(files::remove_tree(jail, kCopying));
    return std::unexpected(done.error());
}

Result<bool> SnapshotDirectories::finished(int jail, const Restoration& restoration) const {
    if (!restoration.keep) return directories_.prepared(restoration.jail);
    return there(jail, std::string(kSnapshots) + "/" + snapshot_name(*restoration.keep));
}

Result<bool> SnapshotDirectories::staged(const Restoration& restoration) {
    const auto jail = files::open_directory(directories_.path(restoration.jail));
    if (!jail && jail.error().code == Errc::not_found) return false;
    if (!jail) return std::unexpected(jail.error());
    const auto copied = there(jail->get(), kCopied);
    if (!copied || *copied) return copied;
    return finished(jail->get(), restoration);
}

Result<void> SnapshotDirectories::stage(const Restoration& restoration) {
    const auto jail = directories_.make(restoration.jail);
    if (!jail) return std::unexpected(jail.error());
    return stage(jail->get(), restoration);
}

Result<void> SnapshotDirectories::unstage(JailId id) {
    const auto jail = files::open_directory(directories_.path(id));
    if (!jail) return jail.error().code == Errc::not_found ? Result<void>{} : std::unexpected(jail.error());
    // What is no whole copy any more must not be taken for one.
    if (::renameat(jail->get(), kCopied, jail->get(), kCopying) != 0 && errno != ENOENT && errno != ENOTEMPTY)
        return std::unexpected(Error::from_errno("renameat", errno, kCopied));
    if (auto gone = files::remove_tree(jail->get(), kCopying); !gone) return gone;
    return files::remove_tree(jail->get(), kCopied);
}

Result<void> SnapshotDirectories::restore(const Restoration& restoration) {
    if (auto down = directories_.check_unmounted(restoration.jail, mounts_); !down) return down;
    const auto jail = directories_.make(restoration.jail);
    if (!jail) return std::unexpected(jail.error());
    const auto copied = there(jail->get(), kCopied);
    if (!copied) return std::unexpected(copied.error());
    if (!*copied) {
        const auto done = finished(jail->get(), restoration);
        if (!done) return std::unexpected(done.error());
        if (*done) return {};
        if (auto staged = stage(jail->get(), restoration); !staged) return staged;
    }
    if (restoration.keep)
        if (auto kept = keep_root(jail->get(), *restoration.keep); !kept) return kept;
    if (auto moved = move_in(jail->get()); !moved) return moved;
    return directories_.mark_prepared(jail->get());
}

Result<void> SnapshotDirectories::remove(const SnapshotKey& key) {
    const auto all = files::open_directory(directories_.path(key.jail) / kSnapshots);
    if (!all) return all.error().code == Errc::not_found ? Result<void>{} : std::unexpected(all.error());
    for (const auto& half : {snapshot_name(key.id, kLeaving), snapshot_name(key.id, kMaking)})
        if (auto gone = files::remove_tree(all->get(), half); !gone) return gone;
    if (::renameat(all->get(), snapshot_name(key.id).c_str(), all->get(), snapshot_name(key.id, kLeaving).c_str()) != 0)
        return errno == ENOENT ? Result<void>{} : std::unexpected(Error::from_errno("renameat", errno));
    return files::remove_tree(all->get(), snapshot_name(key.id, kLeaving));
}

}  // namespace jaild::kernel
