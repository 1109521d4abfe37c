#pragma once

#include <mutex>

#include "core/base/unique_fd.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/shim/attacher.h"

namespace jaild::kernel {

/// Programs get into a Linux jail by `runc exec --detach`: the runtime joins the namespaces and the cgroup and applies
/// the container's seccomp profile, capabilities and no_new_privs; it goes, and the program, a session leader, becomes
/// the shim's child.
class RuncAttacher : public Attacher {
public:
    explicit RuncAttacher(Layout layout) : layout_(std::move(layout)) {}
    Result<shim::Launch> prepare(JailId id, const Program& program) override;
    /// The size goes with the launch.
    Result<std::unique_ptr<Terminal>> open_terminal(int shim, TerminalSize size) override;
    [[nodiscard]] Error explain(const Program& program, const shim::Refused& refused) const override;

private:
    Layout layout_;
    std::mutex consoles_;  ///< while a ConsoleSocket is made
};

}  // namespace jaild::kernel
