#pragma once

#include <string>
#include <vector>

#include "core/model/host.h"

/// Lines for `jaildctl doctor` about the kernel and the files of this machine. Blocking. A check that cannot be made
/// says so in its detail.
namespace jaild::kernel::freebsd {

/// Network stacks of their own: in GENERIC since 12.0.
model::Check check_vimage();
/// rctl(8) needs a tunable that only the loader can set.
model::Check check_racct();
/// What is loaded when it is needed must be there to be loaded.
std::vector<model::Check> check_modules();
/// The configured parent of the roots' datasets: empty for none.
model::Check check_zfs(const std::string& parent);

}  // namespace jaild::kernel::freebsd
