#pragma once

#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/places.h"
#include "core/kernel/freebsd/system/prisons.h"
#include "core/kernel/scope.h"

/// The kernel's jails whose root is one of ours. Blocking, any thread.
namespace jaild::kernel::freebsd {

/// By its root, and from FreeBSD 15 on by its `meta`, where that says anything: somebody else may have made a jail on a
/// root of ours.
bool is_ours(const Places& places, JailId id, const Prison& prison);
/// One for each of our jails: the living one, or else one that is dying.
Result<std::map<JailId, Prison>> our_prisons(const Places& places, Scope scope);
/// The living one.
Result<std::optional<Prison>> our_prison(const Places& places, JailId id);

JailReference reference(const Prison& prison);

}  // namespace jaild::kernel::freebsd
