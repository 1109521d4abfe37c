#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/messages.h"

namespace jaild::shim {

/// A child on its way to its program. The shim is the one process of jaild that forks: it has one thread and is small.
struct Child {
    pid_t pid = 0;
    /// Non-blocking. End of file: it executes its program; anything before that is a Failure.
    UniqueFd failure;
};

struct Failure {
    Stage stage = Stage::execute;
    int code = 0;
    std::string text;
};

enum class ControllingTerminal { none, input };

struct ChildPlan {
    const std::vector<std::string>& argv;
    const std::vector<std::string>& environment;
    std::vector<int> descriptors;   ///< for 0, 1, 2 …: borrowed; -1 is /dev/null
    const Launch* enter = nullptr;  ///< LaunchMode::jail: enter that jail first
    ControllingTerminal terminal = ControllingTerminal::none;
};

/// In a session of its own, whose controlling terminal is descriptor 0 if the plan says so; all signals at their
/// defaults, no other descriptor open.
Result<Child> fork_child(const ChildPlan& plan);

/// What the child wrote, if it failed. Does not block.
std::optional<Failure> read_failure(const UniqueFd& failure);

}  // namespace jaild::shim
