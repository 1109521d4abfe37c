#pragma once

#include <string>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/jail_parameters.h"

namespace jaild::inside {

/// Makes a jail whose lo0 is up, whole or not at all: a child makes it by attaching to it, without `persist`, so that
/// the kernel removes it with the child; only when everything is done it is made to stay. Answers the jid.
Result<int> make_jail(const kernel::freebsd::Parameters& parameters);

}  // namespace jaild::inside
