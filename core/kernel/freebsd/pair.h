#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/kernel/freebsd/inside.h"
#include "core/kernel/freebsd/our_prisons.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/links.h"
#include "core/kernel/scope.h"

/// The epair(4)s of a jail, one for each of its interfaces: made inside it and marked, then its host end is taken out.
/// What a crash leaves is inside the jail, and goes with it, or is on the host with its mark. Blocking, idempotent.
namespace jaild::kernel::freebsd::pair {

Result<std::vector<ObservedLink>> list(const Places& places, const Inside& inside, Scope scope);
/// Errc::not_found "jail_not_found", "network_not_found"; Errc::conflict "name_in_use"; Errc::busy while a dying jail
/// still has the pair.
Result<void> ensure(const Places& places, const Inside& inside, const LinkParameters& parameters);
/// Errc::busy while the jail is dying: its network stack is about to destroy the pair itself.
Result<void> destroy(const Places& places, const Inside& inside, LinkId id);

}  // namespace jaild::kernel::freebsd::pair
