#pragma once

#include <string>
#include <vector>

#include "core/reconcile/plan.h"

namespace jaild::reconcile {

/// Appends what brings `present` to `wanted`: missing ones in their order, and anew those that should be read-only and
/// are not, with what we mounted beneath them. The topmost at each target of `dropped` goes first, in that order, and
/// what we mounted beneath it comes again. Any other mount that is not ours to want is left alone. Pure.
void plan_mounts(const std::vector<kernel::Mount>& wanted, std::vector<kernel::ObservedMount> present,
                 const std::vector<std::string>& dropped, Plan& steps);

/// Appends the removal of all of them, last mounted first.
void plan_unmounts(const std::vector<kernel::ObservedMount>& present, Plan& steps);

}  // namespace jaild::reconcile
