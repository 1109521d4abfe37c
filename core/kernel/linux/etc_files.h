#pragma once

#include <string>

#include "core/kernel/roots.h"

/// The text of what is generated in a Linux jail's /etc, beside roots/etc_text.h. Pure.
namespace jaild::kernel::etc {

/// passwd(5), group(5), shadow(5): the few accounts that every system has; no password fits any of them.
std::string passwd(const std::string& root_shell);
std::string group();
std::string shadow();

/// hostname(5)
std::string hostname(const RootParameters& parameters);

}  // namespace jaild::kernel::etc
