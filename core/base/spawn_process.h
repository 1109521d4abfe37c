#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/spawn.h"

/// What spawn() and run() share; for core/base.
namespace jaild {

enum class Grouping {
    callers,      ///< session and process group of the caller
    own_group,    ///< a process group that can be killed as a whole
    own_session,  ///< where posix_spawn(3) can
};

/// `descriptors[i]` becomes descriptor i, -1 is /dev/null; nothing else is open there.
Result<pid_t> spawn_process(const Argv& argv, const std::vector<std::string>& environment,
                            const std::vector<int>& descriptors, Grouping grouping);

}  // namespace jaild
