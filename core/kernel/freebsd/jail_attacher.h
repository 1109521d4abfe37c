#pragma once

#include "core/base/ids.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/shim/attacher.h"

namespace jaild::kernel {

/// Programs get into a FreeBSD jail by the shim's own child: jail_attach(2), setusercontext(3), execve(2). User and
/// directory are looked up there, inside.
class JailAttacher : public Attacher {
public:
    explicit JailAttacher(const DriverOptions& options) : places_(options) {}
    /// Errc::conflict "jail_not_running".
    Result<shim::Launch> prepare(JailId id, const Program& program) override;
    Result<std::unique_ptr<Terminal>> open_terminal(int, TerminalSize size) override {
        return HostTerminal::create(size);
    }
    [[nodiscard]] Error explain(const Program& program, const shim::Refused& refused) const override;

private:
    freebsd::Places places_;
};

}  // namespace jaild::kernel
