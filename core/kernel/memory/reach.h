#pragma once

#include <map>

#include "core/kernel/memory/world.h"
#include "core/kernel/reach.h"

namespace jaild::kernel::memory {

/// Nothing listens in a jail of the model but its command: one that runs answers on every port, with 200 to whatever is
/// asked; a jail without one refuses. Nothing leaves this process.
class MemoryReach : public Reach {
public:
    explicit MemoryReach(World& world) : world_(world) {}
    Result<UniqueFd> connect(JailId id, const IpAddress& address, std::uint16_t port) override;
    /// As FreeBSD's, whose rules the model has.
    [[nodiscard]] bool from_within() const override { return false; }

private:
    World& world_;
    std::map<JailId, UniqueFd> peers_;  ///< of the last connection to each, so that it is not reset
};

}  // namespace jaild::kernel::memory
