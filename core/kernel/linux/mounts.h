#pragma once

#include <functional>
#include <optional>

#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/process.h"
#include "core/kernel/mounts.h"
#include "core/kernel/roots/mount_sources.h"

namespace jaild::kernel {

/// Mounts by the descriptor interface of Linux 5.12 (open_tree(2), mount_setattr(2), move_mount(2)): a tree gets all
/// its attributes while it is attached nowhere. Only binds; what else a jail has, its runtime mounts inside.
class LinuxMounts : public Mounts {
public:
    /// Process 1 of a jail, nothing when it does not run.
    using ProcessOf = std::function<Result<std::optional<ProcessIdentity>>(JailId)>;
    LinuxMounts(const DriverOptions& options, ProcessOf process_of)
        : layout_(options),
          sources_(options.mount_sources, options.state_directory),
          process_of_(std::move(process_of)) {}

    Result<std::vector<ObservedMount>> list(Scope scope) override;
    Result<void> mount(JailId id, const Mount& mount) override;
    Result<void> check(const Mount& mount) override;
    [[nodiscard]] bool lists(const std::string& source) const override { return sources_.lists(source); }
    Result<void> unmount(JailId id, const std::string& target) override;

private:
    [[nodiscard]] Result<UniqueFd> make(const Mount& mount) const;
    Result<void> show_inside(JailId id, int jail, const Mount& mount) const;

    Layout layout_;
    MountSources sources_;
    ProcessOf process_of_;
};

}  // namespace jaild::kernel
