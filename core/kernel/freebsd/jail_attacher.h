#pragma once

#include <filesystem>

#include "core/base/ids.h"
#include "core/kernel/shim/attacher.h"

namespace jaild::kernel {

/// Programs get into a FreeBSD jail by the shim's own child: jail_attach(2), setusercontext(3), execve(2). User and
/// directory are looked up there, inside.
class JailAttacher : public Attacher {
public:
    explicit JailAttacher(std::filesystem::path state_directory) : state_(std::move(state_directory)) {}
    /// Errc::conflict "jail_not_running".
    Result<shim::Launch> prepare(JailId id, const Program& program) override;
    [[nodiscard]] Error explain(const Program& program, const shim::Refused& refused) const override;

private:
    std::filesystem::path state_;
};

}  // namespace jaild::kernel
