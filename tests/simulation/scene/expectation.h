#pragma once

#include <string>
#include <vector>

#include "tests/simulation/scene/scene.h"

namespace jaild::simulation {

/// What is wrong in a settled scene: everything that differs from what the users asked for, that is left over, or that
/// was touched without being ours. Computed from the rows and the model's state alone, without plan(). Empty: all is
/// well.
std::vector<std::string> problems(Scene& scene);

/// The same of those jails only that have and ask for no network: whatever is wrong with that, they are as asked for.
std::vector<std::string> problems_without_network(Scene& scene);

/// The same while calls hang, and have for minutes: nobody waits for the jails that they are for but those that depend
/// on them; and each of these tells of it.
std::vector<std::string> problems_while_hung(Scene& scene);

/// Another jail, which waits for a restart, still runs with an address that is this one's by now: it has to wait too.
bool waits_for_address(Scene& scene, const model::Jail& jail);

/// The same of a dataset, or of one above or beneath it.
bool waits_for_dataset(Scene& scene, const model::Jail& jail);

/// A jail whose start cannot succeed: its exec.start fails. (A command that cannot be executed has ended, no more.)
bool hopeless(const model::JailSpec& spec);

}  // namespace jaild::simulation
