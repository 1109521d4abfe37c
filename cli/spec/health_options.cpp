#include "cli/spec/health_options.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr int kLastPort = 65'535;
constexpr int kDay = 86'400;
constexpr int kMostRetries = 100;

/// "80", "80/status?full=1".
std::optional<json> http_probe(const std::string& text) {
    int port = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    const auto path = std::string(end, text.data() + text.size());
    if (problem != std::errc() || (!path.empty() && path.front() != '/')) return std::nullopt;
    json probe{{"port", port}};
    if (!path.empty()) probe["path"] = path;
    return probe;
}

json words_of(const std::string& text) {
    json words = json::array();
    std::istringstream stream(text);
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

}  // namespace

void add_health_options(CLI::App& app, HealthOptions& options) {
    auto* tcp = app.add_option("--health-tcp", options.tcp, "PORT: healthy if it takes a connection")
                    ->check(CLI::Range(1, kLastPort));
    auto* http = app.add_option("--health-http", options.http,
                                "PORT[/PATH]: healthy if a GET is answered with a status from 200 to 399");
    auto* command =
        app.add_option("--health-cmd", options.command,
                       "\"PROGRAM ARG...\": healthy if that exits with code 0 in the jail; no shell reads it");
    tcp->excludes(http)->excludes(command);
    http->excludes(command);
    const CLI::Range seconds(1, kDay);
    app.add_option("--health-interval", options.interval, "seconds between two probes (10)")->check(seconds);
    app.add_option("--health-timeout", options.timeout, "seconds that one may take (5)")->check(seconds);
    app.add_option("--health-retries", options.retries, "failures in a row that make it unhealthy (3)")
        ->check(CLI::Range(1, kMostRetries));
    app.add_option("--health-start-period", options.start_period,
                   "seconds after its start in which failures do not count (10)")
        ->check(CLI::Range(0, kDay));
    app.add_flag("--health-restart", options.restart, "restart the jail when it turns unhealthy");
}

bool set_health(json& spec, const HealthOptions& options) {
    json probe;
    const char* kind = nullptr;
    if (options.tcp != 0) {
        kind = "tcp";
        probe = {{"port", options.tcp}};
    } else if (!options.http.empty()) {
        auto read = http_probe(options.http);
        if (!read) {
            fmt::print(stderr, "jaildctl: --health-http \"{}\" is not PORT[/PATH]\n", options.http);
            return false;
        }
        kind = "http";
        probe = *std::move(read);
    } else if (!options.command.empty()) {
        kind = "exec";
        probe = {{"command", words_of(options.command)}};
    }
    json changes = json::object();
    if (options.interval != 0) changes["interval"] = options.interval;
    if (options.timeout != 0) changes["timeout"] = options.timeout;
    if (options.retries != 0) changes["retries"] = options.retries;
    if (options.start_period >= 0) changes["start_period"] = options.start_period;
    if (options.restart) changes["restart"] = true;
    if (kind == nullptr && changes.empty()) return true;

    auto& health = spec["health"];
    if (!health.is_object()) health = json::object();
    if (kind != nullptr) {
        for (const auto* other : {"exec", "tcp", "http"}) health.erase(other);
        health[kind] = std::move(probe);
    }
    health.update(changes);
    if (health.contains("exec") || health.contains("tcp") || health.contains("http")) return true;
    fmt::print(stderr, "jaildctl: no probe: use one of --health-tcp, --health-http and --health-cmd\n");
    return false;
}

}  // namespace jaild::cli
