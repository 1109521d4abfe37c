#pragma once

#include <CLI/App.hpp>
#include <functional>

#include "cli/context.h"

namespace jaild::cli {

/// What the chosen subcommand will do once the daemon to ask is known; its exit code.
using Command = std::function<int(Context&)>;

/// Each adds subcommands to `app`; a parsed one sets `chosen`.
void add_lifecycle_commands(CLI::App& app, Command& chosen);  ///< create start stop restart rm
void add_look_commands(CLI::App& app, Command& chosen);       ///< ls show plan why
void add_exec_command(CLI::App& app, Command& chosen);
void add_run_command(CLI::App& app, Command& chosen);
void add_pool_commands(CLI::App& app, Command& chosen);      ///< pool ls show create set rm
void add_stream_commands(CLI::App& app, Command& chosen);    ///< logs events
void add_stats_commands(CLI::App& app, Command& chosen);     ///< stats top
void add_process_commands(CLI::App& app, Command& chosen);   ///< ps kill
void add_network_commands(CLI::App& app, Command& chosen);   ///< network ls show create set rm
void add_template_commands(CLI::App& app, Command& chosen);  ///< template ls show import create update rm
void add_snapshot_commands(CLI::App& app, Command& chosen);  ///< snapshot ls show create rm restore clone schedule
void add_upgrade_commands(CLI::App& app, Command& chosen);   ///< upgrade rollback
void add_export_commands(CLI::App& app, Command& chosen);    ///< export import
void add_wait_command(CLI::App& app, Command& chosen);
void add_backup_command(CLI::App& app, Command& chosen);
void add_doctor_command(CLI::App& app, Command& chosen);

}  // namespace jaild::cli
