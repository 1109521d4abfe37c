#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// Sends a whole Ethernet frame by an interface of the calling process's network stack, by bpf(4). Of a bridge: to the
/// network, by all its members. Errc::not_found "bpf_missing" in a kernel without it. Blocking, any thread.
Result<void> send_frame(const std::string& interface, const std::string& frame);

}  // namespace jaild::kernel::freebsd
