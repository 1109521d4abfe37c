#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace jaild::cli {

/// The --health-… options of commands that make a jail.
struct HealthOptions {
    int tcp = 0;  ///< 0: none was given, as with all of these
    std::string http;
    std::string command;
    int interval = 0;
    int timeout = 0;
    int retries = 0;
    int start_period = -1;
    bool restart = false;
};

void add_health_options(CLI::App& app, HealthOptions& options);

/// Sets what was given in the file's `health`; another probe than the file's takes its place. False, and said, for
/// options that make no probe.
bool set_health(nlohmann::json& spec, const HealthOptions& options);

}  // namespace jaild::cli
