#pragma once

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// Copies what etc_allowed.h lets through from the host's /etc (`from`) to a jail's (`to`). Only files that every user
/// of the host may read, none with a private key in it, none beyond kFileLimit. What this host does not have is left
/// out. Idempotent, blocking.
Result<void> copy_host_etc(int from, int to);

}  // namespace jaild::kernel::freebsd
