#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::kernel::freebsd {

/// In the kernel or loaded.
bool has_module(const std::string& name);
/// Loads a module unless it is there: kldload(2). Errc::unsupported "module_missing" with the remedy. Blocking.
Result<void> load_module(const std::string& name);

}  // namespace jaild::kernel::freebsd
