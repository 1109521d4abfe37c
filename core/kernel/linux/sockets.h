#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/model/policy.h"

/// Sockets of the host, from proc_pid_net(5). Blocking; in the network namespace of the calling thread.
namespace jaild::kernel::sockets {

/// Whose socket is bound to a part of this host side: "sshd (pid 812)"; "a socket of the kernel" or of another pid
/// namespace, where no process has it.
Result<std::optional<std::string>> listener(const model::Publish& publish);

}  // namespace jaild::kernel::sockets
