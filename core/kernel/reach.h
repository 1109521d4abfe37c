#pragma once

#include <cstdint>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/base/unique_fd.h"

namespace jaild::kernel {

/// Connections to what listens in a jail, without a process of its own. Any thread but the I/O one.
class Reach {
public:
    virtual ~Reach() = default;
    /// A non-blocking TCP socket whose connection to that address of the jail's own (or of its loopback) is made or
    /// under way: it becomes writable when that is decided, and SO_ERROR says how. Does not wait for it. An Error of
    /// connect(2) when it is decided already.
    virtual Result<UniqueFd> connect(JailId id, const IpAddress& address, std::uint16_t port) = 0;
    /// The connection comes from the jail's own network stack: no rule and no missing route of the host is in its way.
    /// Otherwise it comes from the host, which must have an address on the jail's network.
    [[nodiscard]] virtual bool from_within() const = 0;
};

/// Such a socket in the network stack of the calling thread.
Result<UniqueFd> begin_connection(const IpAddress& address, std::uint16_t port);

}  // namespace jaild::kernel
