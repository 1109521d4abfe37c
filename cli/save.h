#pragma once

#include <string>

#include "cli/context.h"

namespace jaild::cli {

/// For messages: "archive", "-f web.jaild".
struct Saved {
    std::string what;
    std::string example;
};

/// Writes what a GET answers to `file`, which is readable by its owner alone and has its name only when all of it is
/// there: one that was there before is its own until then. Empty or "-": standard output, unless that is a terminal.
/// Returns the exit code; what is wrong was said.
int save(Context& context, const client::Request& request, const std::string& file, const Saved& saved);

}  // namespace jaild::cli
