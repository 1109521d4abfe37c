#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/context.h"
#include "cli/signals.h"

namespace jaild::cli {

/// Exit codes of a program that was not run to its end, as timeout(1), docker(1) and sh(1) have them.
enum SessionExit { kTimedOut = 124, kNotRun = 125, kNotExecutable = 126, kNotFound = 127, kBySignal = 128 };

struct SessionOptions {
    bool input = false;     ///< our standard input is the program's
    bool terminal = false;  ///< its terminal is as ours is; with `input` what is typed goes there
    Milliseconds timeout{0};
};

/// Runs a program in a jail with our standard streams; `order` as for POST .../exec. Our signals are its own. Its exit
/// code, or one of the above, said.
int run_session(Context& context, const std::string& jail, nlohmann::json order, const SessionOptions& options,
                SignalListener& signals);

}  // namespace jaild::cli
