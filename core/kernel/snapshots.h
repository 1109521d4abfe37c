#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"

namespace jaild::kernel {

/// A snapshot of a jail's root. Snapshot ids are never given twice.
struct SnapshotKey {
    JailId jail;
    SnapshotId id;
    constexpr auto operator<=>(const SnapshotKey&) const = default;
};

/// What there is in a snapshot, as far as it is known without reading it all again.
struct SnapshotSize {
    std::uint64_t entries = 0;  ///< files, directories and links
    std::uint64_t bytes = 0;    ///< of files' contents; they may share their blocks with the root's
    std::uint64_t left_out = 0;
    bool operator==(const SnapshotSize&) const = default;
};

/// A root that becomes what a snapshot holds.
struct Restoration {
    JailId jail;
    SnapshotKey from;                  ///< of this jail, or of another when this one has no root yet
    std::optional<SnapshotId> keep{};  ///< what was there becomes this snapshot; nothing: a new jail's first root
};

/// Snapshots of jails' private trees: `<state>/jails/<id>/root` and what else of that directory a jail writes into.
/// What is mounted beneath is no part of them. Blocking, any thread; for one jail, take() may overlap with anything but
/// prepare(), restore() and remove() of its root.
class Snapshots {
public:
    virtual ~Snapshots() = default;
    /// All that there is anything of, half made and half removed ones too; not of jails without a directory.
    virtual Result<std::vector<SnapshotKey>> list() = 0;
    /// The jail may run: then it is as after a power failure. What a crash left half-made is made anew. `go_on` is
    /// asked now and then; false ends it with Errc::busy "interrupted". Errc::not_found without a root;
    /// Errc::exhausted, with nothing left behind; Errc::busy "tree_changing".
    virtual Result<SnapshotSize> take(const SnapshotKey& key,
                                      const std::function<bool(const SnapshotSize&)>& go_on) = 0;
    /// Its first half, which may take long, is done: what is copied is whole, or nothing has to be.
    virtual Result<bool> staged(const Restoration& restoration) = 0;
    /// That half; the jail may run. Errc::not_found "snapshot_missing"; Errc::exhausted, with nothing left behind.
    virtual Result<void> stage(const Restoration& restoration) = 0;
    /// What was staged for this jail goes: nobody wants it any more.
    virtual Result<void> unstage(JailId jail) = 0;
    /// All of it. The jail is down and nothing of it mounted (Errc::busy "still_mounted"). Idempotent: what a crash
    /// left half-done is finished, what was finished stays. Afterwards Roots::prepared() is true. Else as stage(), with
    /// the root as it was.
    virtual Result<void> restore(const Restoration& restoration) = 0;
    /// Nothing is left of it. Idempotent.
    virtual Result<void> remove(const SnapshotKey& key) = 0;
};

}  // namespace jaild::kernel
