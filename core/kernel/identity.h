#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::kernel {

/// What tells this machine from another, the same after every boot: machine-id(5) on Linux, kern.hostuuid on FreeBSD.
/// A state directory is bound to it. A machine that has none (a minimal container) is known by its hostname. Blocking.
Result<std::string> host_identity();

}  // namespace jaild::kernel
