#pragma once

#include <string>
#include <string_view>

namespace jaild::kernel::freebsd {

/// The value of a variable in the text of an rc.conf(5), as its last assignment has it; empty without one. Only plain
/// assignments, quoted or not, are understood: it is read for a warning, never executed. Pure.
std::string rc_value(std::string_view text, std::string_view name);

}  // namespace jaild::kernel::freebsd
