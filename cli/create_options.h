#pragma once

#include <CLI/App.hpp>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/spec/health_options.h"

/// What `create`, `run` and `pool create` have in common: the options that say what a jail should be.
namespace jaild::cli {

struct CreateOptions {
    std::string name;
    std::string template_name;
    std::string root;
    std::string quota;
    std::string reservation;
    std::string compression;
    std::vector<std::string> networks;
    std::string hostname;
    std::string restart;
    std::string user;
    std::vector<std::string> addresses;
    std::vector<std::string> labels;
    std::vector<std::string> environment;
    std::vector<std::string> publish;
    std::vector<std::string> limits;
    std::vector<std::string> parameters;
    std::vector<std::string> mounts;
    std::vector<std::string> devices;
    std::vector<std::string> datasets;
    std::string cpuset;
    std::optional<int> priority;
    std::vector<std::string> depends_on;
    HealthOptions health;
    int devfs_ruleset = 0;  ///< 0: none was given
    std::string file;
    bool stopped = false;
    bool no_wait = false;
    bool dry_run = false;
    bool ephemeral = false;
    std::string ttl;
    std::string directory;
    std::vector<std::string> command;
};

/// Those that are about the jail itself: all but its name, its file and its command. `options` outlives `app`.
void add_spec_options(CLI::App& app, CreateOptions& options);

/// The flat object of POST /v1/jails: the file's fields, overridden by the options. Nothing, and said, for what is not
/// of its form.
std::optional<nlohmann::json> spec_of(const CreateOptions& options);

}  // namespace jaild::cli
