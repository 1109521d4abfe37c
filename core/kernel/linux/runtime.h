#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/spawn.h"
#include "core/base/units.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/linux/process.h"

namespace jaild::kernel {

/// What the OCI runtime's own record (`<root>/<container>/state.json`) says about a container, held against /proc.
struct Container {
    JailId id;
    ProcessIdentity first{};  ///< process 1 of the jail; pid 0 when the record names none
    bool alive = false;       ///< that very process lives, has begun to run and is not about to end
    bool process = false;     ///< it lives, but may still wait for its start, or be ending
};

/// runc(8). Looking never starts a process. A look that fails is an Error, never a container that does not live.
/// Blocking, any thread.
class Runtime {
public:
    /// Runs a program of the host to its end as a descendant of the jail's shim, which becomes the parent of the
    /// process whose pid the program writes to `pid_file`.
    using Helper = std::function<Result<Completed>(JailId, const Argv&, const std::filesystem::path& pid_file,
                                                   Milliseconds timeout)>;

    Runtime(Layout layout, Helper helper) : layout_(std::move(layout)), helper_(std::move(helper)) {}

    /// The runtime's path. Errc::unsupported with the remedy when this host has none.
    static Result<std::string> program();

    /// All containers of this installation, half-made ones too.
    [[nodiscard]] Result<std::vector<Container>> list() const;
    /// Nothing when the runtime has no record of it.
    [[nodiscard]] Result<std::optional<Container>> find(JailId id) const;

    /// Makes and starts the container of the jail's bundle. Its process 1 becomes a child of the shim.
    Result<void> start(JailId id) const;
    /// Kills it and removes it with its record, which may be half-written; missing: success. Errc::busy when its
    /// process 1 does not end before `deadline`.
    Result<void> remove(JailId id, Deadline deadline) const;

private:
    Layout layout_;
    Helper helper_;
};

}  // namespace jaild::kernel
