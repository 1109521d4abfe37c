#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/kernel/freebsd/pure/parameter_types.h"

namespace jaild::kernel::freebsd {

/// Asks security.jail.param.NAME: how jail(3) learns of a parameter's type. Nothing when this kernel has none of that
/// name. Blocking, any thread.
Result<std::optional<ParameterType>> ask_parameter_type(const std::string& name);

}  // namespace jaild::kernel::freebsd
