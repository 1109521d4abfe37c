#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// Options of `jaildctl create` as the API's JSON. Pure; what they mean is judged by the daemon.
namespace jaild::cli {

using Field = std::pair<std::string, nlohmann::json>;

/// "memoryuse=512M", "maxproc=100", or as rctl(8) has it: "cputime:sigterm=3600/process". Nothing for any other form.
std::optional<Field> limit_field(std::string_view text);

/// "allow.raw_sockets=1", "sysvmsg=new", "allow.nomount" (true), "ip4.addr=[\"192.0.2.1\"]": what reads as a boolean, a
/// whole number, a quoted string or an array of JSON is that, everything else is a string. Nothing without a name.
std::optional<Field> parameter_field(std::string_view text);

/// "8080", "8080:80", "8000-8010:9000-9010/udp", "192.0.2.1:8080:80", "[2001:db8::1]:8080:80": an entry of `publish`.
/// Nothing for any other form.
std::optional<nlohmann::json> publish_entry(std::string_view text);

/// "/srv/www:/var/www:ro", "tmpfs:/tmp:size=64M,nosuid", "zfs=tank/data:/data", "/srv/new:/data:create": an entry of
/// `mounts`. Nothing for any other form.
std::optional<nlohmann::json> mount_entry(std::string_view text);

/// "db", "db:healthy", "db:started:restart": an entry of `depends_on`. Nothing for any other form.
std::optional<nlohmann::json> dependency_entry(std::string_view text);

/// "always", or "on-failure:5" with `max_retries`: a value of `restart`. Nothing for any other form.
std::optional<nlohmann::json> restart_value(std::string_view text);

/// "90", "90s", "10m", "2h", "1d": whole seconds, from 1 to a year. Nothing for any other form.
std::optional<std::int64_t> seconds_of(std::string_view text);

}  // namespace jaild::cli
