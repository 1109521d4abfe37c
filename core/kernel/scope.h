#pragma once

#include <optional>

#include "core/base/ids.h"

namespace jaild::kernel {

/// What a list is asked about: one jail, or all of this installation.
using Scope = std::optional<JailId>;

}  // namespace jaild::kernel
