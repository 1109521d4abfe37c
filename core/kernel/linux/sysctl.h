#pragma once

#include <string>

#include "core/base/error.h"

/// Values below /proc/sys. Those below net/ belong to the calling thread's network namespace. Blocking.
namespace jaild::kernel::sysctl {

/// Without its newline; `name` as a path: "net/ipv4/ip_forward". Errc::not_found when this kernel has no such value.
Result<std::string> read(const std::string& name);
/// Written only when it differs, so that nothing that listens for changes is woken.
Result<void> set(const std::string& name, const std::string& value);

}  // namespace jaild::kernel::sysctl
