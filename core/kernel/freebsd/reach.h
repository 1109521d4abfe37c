#pragma once

#include "core/kernel/reach.h"

namespace jaild::kernel {

/// A socket of the host's: a thread cannot visit another vnet and come back (jail_attach(2) is for good). By the
/// bridge's address the host is a neighbour of a jail with a network stack of its own; any other jail shares the
/// host's.
class FreeBsdReach final : public Reach {
public:
    Result<UniqueFd> connect(JailId, const IpAddress& address, std::uint16_t port) override {
        return begin_connection(address, port);
    }
    [[nodiscard]] bool from_within() const override { return false; }
};

}  // namespace jaild::kernel
