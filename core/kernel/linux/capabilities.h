#pragma once

#include <linux/capability.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace jaild::kernel {

struct Capability {
    unsigned number;
    std::string_view name;  ///< as the OCI runtime specification writes it
};

/// What root in a jail may do, capabilities(7): podman's default_capabilities (containers.conf(5)), no more. Bounding,
/// permitted and effective; nothing is inheritable or ambient.
inline constexpr std::array<Capability, 11> kJailCapabilities{{
    {CAP_CHOWN, "CAP_CHOWN"},
    {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    {CAP_FOWNER, "CAP_FOWNER"},
    {CAP_FSETID, "CAP_FSETID"},
    {CAP_KILL, "CAP_KILL"},
    {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
    {CAP_SETFCAP, "CAP_SETFCAP"},
    {CAP_SETGID, "CAP_SETGID"},
    {CAP_SETPCAP, "CAP_SETPCAP"},
    {CAP_SETUID, "CAP_SETUID"},
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
}};

/// The same as one bit for each number, as CapBnd of /proc/<pid>/status shows it.
constexpr std::uint64_t jail_capability_mask() {
    std::uint64_t mask = 0;
    for (const Capability& capability : kJailCapabilities) mask |= std::uint64_t{1} << capability.number;
    return mask;
}

}  // namespace jaild::kernel
