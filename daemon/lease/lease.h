#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"

namespace jaild::lease {

/// What udhcpc(8) tells of a lease: nothing that came over the network is anything but an address here.
struct Lease {
    Prefix address;
    std::optional<IpAddress> router{};  ///< the first
    bool operator==(const Lease&) const = default;
};

/// Its variables "ip", "mask" (a prefix length), "router". Errc::invalid without a usable address. Pure.
Result<Lease> read_lease(const std::function<const char*(const char*)>& variable);

/// Does what an event of udhcpc's means for the interface, in the calling process's network namespace: "bound" and
/// "renew" make the lease its only IPv4 address, with the default route when `route`; "deconfig" takes it away; other
/// events mean nothing. Blocking.
Result<void> apply_event(const std::string& event, const std::string& interface, bool route,
                         const std::function<const char*(const char*)>& variable);

}  // namespace jaild::lease
