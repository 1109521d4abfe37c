#pragma once

#include "core/base/error.h"

namespace jaild::kernel {

/// What template `host` takes from the host's /etc (DESIGN.md): `alternatives ld.so.cache ld.so.conf* nsswitch.conf
/// services protocols localtime ssl/certs`, and nothing else. Only files that every user of the host may read, none
/// with a private key in it, none beyond 4 MiB; only links that lead into /usr or stay among these. What this host does
/// not have is left out. `from` is the host's /etc. Idempotent, blocking.

/// The few files that each jail gets a copy of, in its /etc.
Result<void> copy_host_etc(int from, int to);

/// The two directories of hundreds of links, `alternatives` and `certs`, in a directory of our own: jails see them
/// read-only, and as they are now, like the /usr that they lead into. What the host no longer has goes.
Result<void> copy_shared_etc(int from, int to);

}  // namespace jaild::kernel
