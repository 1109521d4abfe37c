#pragma once

#include "core/kernel/memory/dice.h"
#include "core/model/jail_spec.h"

namespace jaild::simulation {

/// Some valid spec for a jail of that name, `hopeless` ones among them.
model::JailSpec random_spec(kernel::memory::Dice& dice, const model::Name& name);
/// `spec` with one or two fields changed that may be: live ones, ones that need a restart, `running`.
model::JailSpec changed(kernel::memory::Dice& dice, model::JailSpec spec);

}  // namespace jaild::simulation
