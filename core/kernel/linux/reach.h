#pragma once

#include "core/kernel/linux/layout.h"
#include "core/kernel/reach.h"

namespace jaild::kernel {

/// A socket belongs to the network namespace in which it was made: it is made there by a thread that visits it.
class LinuxReach final : public Reach {
public:
    explicit LinuxReach(Layout layout) : layout_(std::move(layout)) {}
    /// In a jail that shares the host's network stack: the host's.
    Result<UniqueFd> connect(JailId id, const IpAddress& address, std::uint16_t port) override;
    [[nodiscard]] bool from_within() const override { return true; }

private:
    Layout layout_;
};

}  // namespace jaild::kernel
