#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace jaild::cli {

/// The command line as CLI11 takes it: in `exec NAME COMMAND...` and `run COMMAND...` a "--" before COMMAND, so that
/// its options are not taken for ours, as jexec(8) does it. `arguments`: without the program's name. `app`: with all
/// its subcommands.
std::vector<std::string> mark_command(const CLI::App& app, std::vector<std::string> arguments);

/// For a first word that is no command: says so, with the one that is nearest to it. Empty when no word is there.
std::string unknown_command(const CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace jaild::cli
