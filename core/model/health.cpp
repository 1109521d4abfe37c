#include "core/model/health.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/model/fields.h"
#include "core/model/spec_parts.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr unsigned kLeastStatus = 200;  // RFC 9110 §15: what is below is no answer yet
constexpr unsigned kMostStatus = 599;

Result<void> parse_port(const json& value, const std::string& at, std::uint16_t& port) {
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "a port"));
    if (value < 1 || value > 65'535) return std::unexpected(Error::invalid("invalid_port", at, "a port is 1 to 65535"));
    port = value.get<std::uint16_t>();
    return {};
}

Result<void> parse_path(const json& value, const std::string& at, std::string& path) {
    auto text = read_text(value, at, HealthSpec::kPathBytes);
    if (!text) return std::unexpected(text.error());
    const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
    if (!text->starts_with('/') || !std::ranges::all_of(*text, printable) || text->find('#') != std::string::npos)
        return std::unexpected(Error::invalid(
            "invalid_value", at, "a path like \"/status?full=1\": printable ASCII without spaces, percent-encoded"));
    path = *std::move(text);
    return {};
}

Result<void> parse_host_header(const json& value, const std::string& at, std::string& host) {
    auto text = read_text(value, at, HealthSpec::kHostBytes);
    if (!text) return std::unexpected(text.error());
    const auto good = [](char c) { return c > ' ' && c < '\x7f' && c != '/' && c != '@'; };
    if (!std::ranges::all_of(*text, good))
        return std::unexpected(Error::invalid("invalid_value", at, "a host name, with \":PORT\" behind it or without"));
    host = *std::move(text);
    return {};
}

std::optional<unsigned> status_number(std::string_view text) {
    unsigned value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value >= kLeastStatus && value <= kMostStatus ? std::optional(value) : std::nullopt;
}

Result<void> parse_status(const json& value, const std::string& at, HealthSpec& health) {
    if (!value.is_number_integer() && !value.is_string())
        return std::unexpected(wrong_type(at, "a status, or a range \"200-399\""));
    const auto text = value.is_string() ? value.get<std::string>() : value.dump();
    const auto dash = text.find('-');
    const auto first = status_number(std::string_view(text).substr(0, dash));
    const auto last = dash == std::string::npos ? first : status_number(std::string_view(text).substr(dash + 1));
    if (!first || !last || *first > *last)
        return std::unexpected(
            Error::invalid("invalid_value", at, "a status is 200 to 599, a range of them \"200-399\""));
    health.first_status = *first;
    health.last_status = *last;
    return {};
}

Result<void> parse_exec_probe(const json& value, const std::string& at, HealthSpec& health) {
    Fields fields(value, at);
    fields.require("command");
    fields.read("command", [&](const json& given, const std::string& where) -> Result<void> {
        auto argv = parse_argv(given, where);
        if (!argv) return std::unexpected(argv.error());
        if (argv->empty()) return std::unexpected(Error::invalid("invalid_value", where, "a program to run"));
        health.argv = *std::move(argv);
        return {};
    });
    return fields.done();
}

Result<void> parse_net_probe(const json& value, const std::string& at, HealthSpec& health) {
    Fields fields(value, at);
    fields.require("port");
    fields.read("port",
                [&](const json& given, const std::string& where) { return parse_port(given, where, health.port); });
    if (health.kind == ProbeKind::http) {
        fields.read("path",
                    [&](const json& given, const std::string& where) { return parse_path(given, where, health.path); });
        fields.read("host", [&](const json& given, const std::string& where) {
            return parse_host_header(given, where, health.host);
        });
        fields.read("status",
                    [&](const json& given, const std::string& where) { return parse_status(given, where, health); });
    }
    return fields.done();
}

Result<void> parse_probe_retries(const json& value, const std::string& at, unsigned& retries) {
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "an integer"));
    if (value < 1 || value > HealthSpec::kMostRetries)
        return std::unexpected(Error::invalid("invalid_value", at,
                                              fmt::format("from 1 to {} failures in a row", HealthSpec::kMostRetries)));
    retries = value.get<unsigned>();
    return {};
}

std::int64_t probe_seconds(Milliseconds duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

json status_json(const HealthSpec& health) {
    if (health.first_status == health.last_status) return health.first_status;
    return fmt::format("{}-{}", health.first_status, health.last_status);
}

json probe_json(const HealthSpec& health) {
    if (health.kind == ProbeKind::exec) return {{"command", health.argv}};
    if (health.kind == ProbeKind::tcp) return {{"port", health.port}};
    return {{"port", health.port}, {"path", health.path}, {"host", health.host}, {"status", status_json(health)}};
}

}  // namespace

std::string_view to_string(ProbeKind kind) {
    switch (kind) {
        case ProbeKind::exec:
            return "exec";
        case ProbeKind::tcp:
            return "tcp";
        case ProbeKind::http:
            return "http";
    }
    std::unreachable();
}

std::string_view to_string(HealthState state) {
    switch (state) {
        case HealthState::starting:
            return "starting";
        case HealthState::healthy:
            return "healthy";
        case HealthState::unhealthy:
            return "unhealthy";
    }
    std::unreachable();
}

Result<HealthSpec> parse_health(const json& value, const std::string& at) {
    HealthSpec health;
    Fields fields(value, at);
    unsigned probes = 0;
    for (const auto kind : {ProbeKind::exec, ProbeKind::tcp, ProbeKind::http}) {
        fields.read(to_string(kind), [&](const json& given, const std::string& where) {
            ++probes;
            health.kind = kind;
            return kind == ProbeKind::exec ? parse_exec_probe(given, where, health)
                                           : parse_net_probe(given, where, health);
        });
    }
    const auto duration = [&](std::string_view key, Milliseconds& target) {
        fields.read(key, [&](const json& given, const std::string& where) -> Result<void> {
            auto parsed = parse_timeout(given, where);
            if (!parsed) return std::unexpected(parsed.error());
            target = *parsed;
            return {};
        });
    };
    duration("interval", health.interval);
    duration("timeout", health.timeout);
    fields.read("retries", [&](const json& given, const std::string& where) {
        return parse_probe_retries(given, where, health.retries);
    });
    fields.read("start_period", [&](const json& given, const std::string& where) -> Result<void> {
        if (given == 0) {
            health.start_period = Milliseconds{0};
            return {};
        }
        auto parsed = parse_timeout(given, where);
        if (!parsed) return std::unexpected(parsed.error());
        health.start_period = *parsed;
        return {};
    });
    fields.boolean("restart", health.restart);
    if (probes != 1)
        fields.fail(Error::invalid(probes == 0 ? "missing_field" : "invalid_value", at,
                                   "exactly one probe: \"exec\", \"tcp\" or \"http\""));
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return health;
}

json to_json(const HealthSpec& health) {
    return {{std::string(to_string(health.kind)), probe_json(health)},
            {"interval", probe_seconds(health.interval)},
            {"timeout", probe_seconds(health.timeout)},
            {"retries", health.retries},
            {"start_period", probe_seconds(health.start_period)},
            {"restart", health.restart}};
}

std::string describe(const HealthSpec& health) {
    if (health.kind == ProbeKind::exec) return fmt::format("exec probe {}", fmt::join(health.argv, " "));
    if (health.kind == ProbeKind::tcp) return fmt::format("tcp probe of port {}", health.port);
    return fmt::format("http probe of port {} {}", health.port, health.path);
}

json to_json(const HealthStatus& status) {
    return {{"state", to_string(status.state)},
            {"since", status.since.to_string()},
            {"failures", status.failures},
            {"message", status.message}};
}

}  // namespace jaild::model
