#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/name.h"

/// What the kernel tells devd(8) when a rule of rctl(8) with the action devctl is met. Pure.
namespace jaild::kernel::freebsd::rctl {

struct Breach {
    model::Name jail;  ///< whose rule it is: a process of a jail within that one may have met it
    std::string resource;
    bool operator==(const Breach&) const = default;
};

/// A line of devd.seqpacket.pipe: "!system=RCTL subsystem=rule type=matched rule=jail:web:openfiles:devctl=9 pid=7 …".
/// rctl_enforce() of kern_rctl.c cuts it off after 127 bytes, so nothing from the amount on is read. Nothing for
/// everything else, and for names that are none of jaild's.
std::optional<Breach> parse_breach(std::string_view line);

}  // namespace jaild::kernel::freebsd::rctl
