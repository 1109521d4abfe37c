#pragma once

#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

/// The routing table of the calling process, by route(4). Blocking, any thread.
namespace jaild::kernel::freebsd {

struct Route {
    Prefix destination;
    std::optional<IpAddress> gateway{};
    int index = 0;  ///< of its interface
    bool operator==(const Route&) const = default;
};

/// Both families.
Result<std::vector<Route>> routes();

/// Gateways of the default routes through the interface, sorted.
Result<std::vector<IpAddress>> default_gateways(int index);
/// Makes the default routes of these families through the interface exactly these; a default route of a wanted family
/// through another interface gives way.
Result<void> set_default_gateways(int index, const std::vector<IpAddress>& wanted, const std::vector<Family>& families);

}  // namespace jaild::kernel::freebsd
