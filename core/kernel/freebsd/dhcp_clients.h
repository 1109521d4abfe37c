#pragma once

#include <sys/types.h>

#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/freebsd/inside.h"
#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/links.h"

/// DHCP clients on FreeBSD: the jail's own dhclient(8), one for each interface that learns its IPv4 addresses. It runs
/// in the jail, on a /dev that shows bpf(4), and ends with the jail. It outlives the daemon and is found by its mark: a
/// process of that jail with our word in its environment. A file in the jail's directory, written before it is started,
/// says that a look at all processes is worth it. Blocking, any thread.
namespace jaild::kernel::freebsd::dhcp {

/// Those of these links, of one jail, for which a client lives: both of its processes.
Result<std::vector<LinkId>> living(const Places& places, const Prison& prison, const std::vector<LinkId>& links);

/// One lives for the jail's interface, which is up and on its bridge. Errors of Inside::start_client().
Result<void> ensure(const Places& places, const Inside& inside, const Prison& prison, const LinkParameters& parameters);

/// The processes of a jail's clients, of all of its interfaces.
Result<std::set<pid_t>> pids(const Places& places, JailId id, const Prison& prison);

/// None lives for it. What it was given stays on the interface.
Result<void> stop(const Places& places, const Prison& prison, LinkId id);

}  // namespace jaild::kernel::freebsd::dhcp
