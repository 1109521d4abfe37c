#pragma once

#include <optional>
#include <string>

#include "core/base/error.h"

/// Values of sysctl(3) by name. Blocking, any thread.
namespace jaild::kernel::freebsd::sysctl {

/// Nothing when this kernel has no such value.
Result<std::optional<int>> number(const char* name);
Result<std::optional<std::string>> text(const char* name);
/// A value that is neither number nor text, of at most 1024 bytes.
Result<std::optional<std::string>> bytes(const char* name);
Result<void> set(const char* name, int value);

}  // namespace jaild::kernel::freebsd::sysctl
