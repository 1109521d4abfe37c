#pragma once

#include "core/kernel/memory/dice.h"
#include "core/model/jail_spec.h"
#include "core/model/network.h"

namespace jaild::simulation {

/// Some valid spec for a jail of that name, `hopeless` ones among them.
model::JailSpec random_spec(kernel::memory::Dice& dice, const model::Name& name);
/// `spec` with one or two fields changed that may be: live ones, ones that need a restart, `running`.
model::JailSpec changed(kernel::memory::Dice& dice, model::JailSpec spec);

/// A network of one of a few names and subnets: most are refused for what another has.
model::Network random_network(kernel::memory::Dice& dice);
/// `network` with one field changed that may be.
model::Network changed(kernel::memory::Dice& dice, model::Network network);

}  // namespace jaild::simulation
