#pragma once

#include <sys/types.h>

#include <mutex>

#include "core/kernel/freebsd/mount_api.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/mounts.h"
#include "core/kernel/roots/mount_sources.h"

namespace jaild::kernel {

/// nmount(2) takes a path, and a running jail's root moves directories beneath his: so the target is looked up without
/// following links and held, and after mounting it is looked up again; a mount that went elsewhere is undone. Any
/// thread; mounting is done by one at a time.
class FreeBsdMounts : public Mounts {
public:
    explicit FreeBsdMounts(const DriverOptions& options)
        : places_(options), sources_(options.mount_sources, options.state_directory), zfs_parent_(options.zfs_parent) {}

    Result<std::vector<ObservedMount>> list(Scope scope) override;
    Result<void> mount(JailId id, const Mount& mount) override;
    Result<void> check(const Mount& mount) override;
    [[nodiscard]] bool lists(const std::string& source) const override { return sources_.lists(source); }
    /// By the mount's own id. Waits a second for what is just letting go of it. Forced only when no jail lives in it
    /// any more and nothing is mounted beneath it: a dying jail holds its root for as long as a TCP connection takes to
    /// end.
    Result<void> unmount(JailId id, const std::string& target) override;

private:
    Result<void> verify(int jail, int covered, ino_t source, const Mount& mount, const std::string& path) const;
    [[nodiscard]] Result<void> check_dataset(const Mount& mount) const;
    Result<bool> lives(JailId id) const;

    freebsd::Places places_;
    MountSources sources_;
    std::string zfs_parent_;
    std::mutex mutex_;
};

}  // namespace jaild::kernel
