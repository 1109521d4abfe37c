#pragma once

#include <memory>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/kernel/snapshots.h"
#include "core/model/jail_spec.h"

namespace jaild::kernel {

/// A tree that can be read as long as this lives.
struct HeldTree {
    std::shared_ptr<void> held{};  ///< what had to be brought for it, and goes after it
    UniqueFd directory;
};

/// Where an archive is unpacked before anybody knows which jail it becomes: whoever unpacks it sees nothing else of the
/// host. Destroyed, it takes with it what did not become a root.
class RootImport {
public:
    virtual ~RootImport() = default;
    /// Empty until begin().
    [[nodiscard]] virtual int directory() const = 0;
    /// From now on there is an empty directory `root` in it: the tree of that jail, in the file system that its root is
    /// to be in. Errc::exhausted.
    virtual Result<void> begin(JailId id, const model::RootSpec& root) = 0;
    /// Nobody writes to it any more: it becomes the jail's root, on disk. Roots::prepared() is true afterwards.
    virtual Result<void> finish() = 0;
};

/// Private trees of jails on their way into an archive, and out of one. Blocking, any thread.
class RootTransfers {
public:
    virtual ~RootTransfers() = default;
    /// What a daemon that was killed left of exports and imports goes. Before anything else of this port.
    virtual Result<void> clear() = 0;
    /// Can the root of a jail that is down be read where it is? Else only a snapshot of it can.
    virtual Result<bool> readable(JailId id) = 0;
    /// The root of a jail that is down; its start may have to wait until nobody reads it any more. Errc::conflict
    /// "root_not_made"; Errc::busy "still_mounted".
    virtual Result<HeldTree> open(JailId id) = 0;
    /// Errc::not_found "snapshot_missing".
    virtual Result<HeldTree> open(const SnapshotKey& key) = 0;
    virtual Result<std::unique_ptr<RootImport>> import() = 0;
};

}  // namespace jaild::kernel
