#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/units.h"

/// What is asked of a running jail now and then, to know that it does its work. Plain values.
namespace jaild::model {

enum class ProbeKind {
    exec,  ///< a program in the jail; exit code 0
    tcp,   ///< a connection to a port of the jail
    http,  ///< an answer of a good status to a GET; redirects are answers, and are not followed
};
std::string_view to_string(ProbeKind kind);

struct HealthSpec {
    ProbeKind kind = ProbeKind::tcp;
    std::vector<std::string> argv{};  ///< exec: run as the jail's own command is, by user, directory and environment
    std::uint16_t port = 0;           ///< tcp, http
    std::string path = "/";           ///< http: with its query
    std::string host{};               ///< http: of the header; empty: the jail's host name
    unsigned first_status = 200;      ///< http: both ends are good
    unsigned last_status = 399;
    Milliseconds interval{10'000};      ///< from the end of one probe to the next
    Milliseconds timeout{5'000};        ///< of one
    unsigned retries = 3;               ///< so many failures in a row make it unhealthy
    Milliseconds start_period{10'000};  ///< since its start: failures do not count, and it is asked more often
    bool restart = false;               ///< made anew when it turns unhealthy
    bool operator==(const HealthSpec&) const = default;

    static constexpr unsigned kMostRetries = 100;
    static constexpr std::size_t kPathBytes = 1023;
    static constexpr std::size_t kHostBytes = 255;
};

/// {"exec": {"command"}} or {"tcp": {"port"}} or {"http": {"port", "path", "host", "status"}}, with "interval",
/// "timeout", "retries", "start_period" and "restart": whole seconds, and a status like 204 or "200-399".
Result<HealthSpec> parse_health(const nlohmann::json& value, const std::string& at);
/// The object, with all fields of its kind.
nlohmann::json to_json(const HealthSpec& health);
/// "tcp probe of port 80", "http probe of port 80 /status", "exec probe /bin/check -q".
std::string describe(const HealthSpec& health);

enum class HealthState {
    starting,   ///< no probe succeeded yet, and too few failed
    healthy,    ///< the last one succeeded, or too few have failed since
    unhealthy,  ///< `retries` failed in a row
};
std::string_view to_string(HealthState state);

/// What the probes of a running jail found.
struct HealthStatus {
    HealthState state = HealthState::starting;
    UtcTime since{};
    unsigned failures = 0;  ///< in a row, of those that count
    std::string message{};  ///< of the last failure; empty after a success. At most kMessageBytes
    bool operator==(const HealthStatus&) const = default;

    static constexpr std::size_t kMessageBytes = 300;
};
nlohmann::json to_json(const HealthStatus& status);

}  // namespace jaild::model
