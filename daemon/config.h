#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/spawn.h"
#include "core/supervisor.h"

namespace jaild::daemon {

/// A bearer token of the configuration file.
struct Token {
    std::string name;
    std::string value;
    Role role = Role::viewer;
};

/// All that jaild can be told. Defaults are DESIGN's; the file overrides them, the command line overrides the file.
struct Config {
    std::filesystem::path state_directory;
    std::filesystem::path socket;
    std::string socket_group = "jaild";
    std::string listen;              ///< "127.0.0.1:8080", or empty: no TCP
    std::string kernel = "auto";     ///< auto, freebsd, linux, memory
    std::string log_level = "info";  ///< trace, debug, info, warn, error
    bool manage_forwarding = true;
    std::vector<std::filesystem::path>
        mount_sources;       ///< what a spec may mount of the host, and who; empty: as roles say
    std::string zfs_parent;  ///< FreeBSD: "zroot/jaild", the roots of new jails are datasets in it; empty: directories
    std::uint64_t template_max_bytes = templates::Options{}.max_bytes;      ///< of one template, unpacked
    std::uint64_t template_max_entries = templates::Options{}.max_entries;  ///< of one template
    Argv template_update;  ///< what updates a template's copy; empty: the system's own updater, where it has one
    bool claim = false;    ///< take over a state directory that was made on another machine
    std::vector<Token> tokens;
};

/// What the command line said.
struct CommandLine {
    std::optional<std::filesystem::path> config_file;
    std::optional<std::string> state_directory;
    std::optional<std::string> socket;
    std::optional<std::string> listen;
    std::optional<std::string> kernel;
    std::optional<std::string> log_level;
    bool claim = false;
};

/// This system's places: hier(7) on FreeBSD, the FHS on Linux.
struct Places {
    std::filesystem::path state_directory;
    std::filesystem::path socket;
    std::filesystem::path config_file;
};
const Places& places();

/// Reads a TOML file: unknown keys, wrong types and values out of range are Errc::invalid and name line and key.
/// A file with tokens that others than its owner can read is refused ("config_readable").
Result<void> read_config_file(const std::filesystem::path& file, Config& config);

/// Defaults, file, command line; the file may be missing only where the command line did not name it.
Result<Config> load_config(const CommandLine& command_line);

}  // namespace jaild::daemon
