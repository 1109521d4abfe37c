#pragma once

#include "core/base/error.h"

namespace jaild::kernel {

/// Copies what template `host` takes from the host's /etc (DESIGN.md): `alternatives ld.so.cache ld.so.conf*
/// nsswitch.conf services protocols localtime ssl/certs`, and nothing else. Only files that every user of the host may
/// read, none with a private key in it, none beyond 4 MiB; only links that lead into /usr or stay among these. What
/// this host does not have is left out. `from` is the host's /etc, `to` the jail's. Idempotent, blocking.
Result<void> copy_host_etc(int from, int to);

}  // namespace jaild::kernel
