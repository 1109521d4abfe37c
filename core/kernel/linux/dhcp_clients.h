#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/kernel/links.h"
#include "core/kernel/linux/layout.h"
#include "core/kernel/scope.h"

/// DHCP clients on Linux: one udhcpc(8) of the host's for each interface that learns its IPv4 addresses. It runs on the
/// host's files, in the jail's network namespace and in no other one of its namespaces: nobody in the jail sees it, and
/// it reads and runs nothing of the jail's. jaild-lease starts it and is what it tells its leases to. It outlives the
/// daemon; who it is stands in a directory of its own beneath Layout::run(). Blocking, any thread.
namespace jaild::kernel::dhcp {

/// The path of the host's client. Errc::unsupported "dhcp_client_missing" with the remedy.
Result<std::string> program(const std::vector<std::string>& directories = {"/usr/local/sbin", "/usr/sbin", "/sbin",
                                                                           "/usr/bin", "/bin"});

/// Those that were started and not stopped, and whether they live.
Result<std::map<LinkId, bool>> list(const Layout& layout, Scope scope);

/// One lives for the interface, in the network namespace of the calling thread. One that served an interface
/// that is gone gives way.
Result<void> ensure(const Layout& layout, const LinkParameters& parameters);

/// It gives its lease back and ends; after two seconds it is ended. Missing: success.
Result<void> stop(const Layout& layout, LinkId id);

}  // namespace jaild::kernel::dhcp
