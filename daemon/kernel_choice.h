#pragma once

#include <memory>
#include <string>

#include "core/kernel/kernel.h"

namespace jaild::daemon {

/// The driver for `name`: "auto" is this system's own. Errc::unsupported "kernel_not_built" for another system's.
Result<std::unique_ptr<kernel::Kernel>> make_kernel(const std::string& name, const kernel::DriverOptions& options);

}  // namespace jaild::daemon
