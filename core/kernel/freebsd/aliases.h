#pragma once

#include <vector>

#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/links.h"

/// Addresses of jails on the host's interfaces, as Links has them. Blocking; one thread at a time, but for wait().
namespace jaild::kernel::freebsd::aliases {

Result<std::vector<ObservedAlias>> list(const Places& places, JailId jail);
Result<void> ensure(const Places& places, JailId jail, const Alias& alias);
Result<void> remove(const Places& places, JailId jail, const Alias& alias);
Result<void> check(const Places& places, const Alias& alias, const std::vector<JailId>& jails);

/// Until the jail can use it: duplicate address detection of IPv6 is the link's to answer (RFC 4862 §5.4), and takes
/// about a second where the host does it. One that another machine has is removed again: Errc::conflict
/// "address_in_use". So is one that the interface never makes ready, being down or without IPv6: Errc::kernel
/// "address_not_ready".
Result<void> wait(const Places& places, JailId jail, const Alias& alias);

}  // namespace jaild::kernel::freebsd::aliases
