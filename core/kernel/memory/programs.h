#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/kernel/processes.h"

/// What programs do in a kernel that runs none: just enough of a few to test what surrounds them.
namespace jaild::kernel::memory {

/// `echo ARG…`, `env`, `true`, `false`, `exit [N]` end at once, and `stty`, which prints the size of its terminal and
/// fails without one; `cat` copies its input and `sleep` waits until they are killed; "missing" does not exist. A path
/// counts by its last component.
enum class Behaviour { ends, copies_input, waits, unknown, missing };

struct Outcome {
    Behaviour behaviour = Behaviour::unknown;
    int exit_code = 0;
    std::string output{};
};

/// Pure.
Outcome outcome(const Program& program);

/// Plays a program on the descriptors that it was given, or on a terminal of its own, on a thread of its own.
Result<std::unique_ptr<RunningProgram>> play(Outcome outcome, Stdio stdio, std::optional<TerminalSize> terminal);

/// A descriptor from which `content` can be read, with an offset of its own.
Result<UniqueFd> readable_copy(const std::string& content);

}  // namespace jaild::kernel::memory
