#pragma once

#include <filesystem>
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
    std::vector<IpAddress> nameservers{};
    std::string domain{};  ///< empty: none, or none that is a name
    bool operator==(const Lease&) const = default;
};

/// Its variables "ip", "mask" (a prefix length), "router", "dns", "domain". Errc::invalid without a usable address.
/// Pure.
Result<Lease> read_lease(const std::function<const char*(const char*)>& variable);

/// What of a lease is for the jail.
struct Use {
    bool route = false;  ///< its router is the default route
    /// The jail's root directory, in whose etc/resolv.conf its name servers come; empty: they count for nothing.
    std::filesystem::path root{};
};

/// Does what an event of udhcpc's means for the interface, in the calling process's network namespace: "bound" and
/// "renew" make the lease its only IPv4 address, with what is to be used of it; "deconfig" takes address and route
/// away; other events mean nothing. Blocking.
Result<void> apply_event(const std::string& event, const std::string& interface, const Use& use,
                         const std::function<const char*(const char*)>& variable);

}  // namespace jaild::lease
