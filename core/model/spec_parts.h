#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/model/jail_spec.h"

/// The parts of a spec and their JSON, for core/model only. `at`: the JSON pointer of `value`.
namespace jaild::model {

std::string_view to_string(RootKind kind);

/// A word that the design knows and this version cannot honour.
Error unsupported(std::string_view reason, std::string at, std::string detail, std::string remedy);

Result<NetworkSpec> parse_network(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const NetworkSpec& network);
/// One element of an array, added to what was read before it.
Result<void> parse_nameserver(const nlohmann::json& value, const std::string& at, std::vector<IpAddress>& nameservers);
Result<void> parse_search(const nlohmann::json& value, const std::string& at, std::vector<std::string>& search);
/// One entry of an object.
Result<void> parse_label(const std::string& key, const nlohmann::json& value, const std::string& at,
                         std::map<std::string, std::string>& labels);

/// One entry of a schedule of snapshots.
Result<void> parse_series(const std::string& key, const nlohmann::json& value, const std::string& at,
                          std::map<std::string, unsigned>& series);

/// Whole seconds, from 1 to SpecLimits::timeout_seconds.
Result<Milliseconds> parse_timeout(const nlohmann::json& value, const std::string& at);

/// Entries that collide with each other are refused.
Result<std::vector<Publish>> parse_publish(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const std::vector<Publish>& publish);
Result<FirewallSpec> parse_firewall(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const FirewallSpec& firewall);
/// {"jail": "web"}, {"label": "tier=front"} …
nlohmann::json to_json(const Peer& peer);

nlohmann::json to_json(const RootSpec& root);

Result<ExecSpec> parse_exec(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const ExecSpec& exec, Secrets secrets);

/// Reasons beyond those of parse_spec: "reserved_parameter" for what another field sets or jaild itself.
Result<Parameters> parse_parameters(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const Parameters& parameters);

/// Each resource is an amount alone, or {"amount", "action", "per"}. Reasons beyond those of parse_spec:
/// "unsupported_action" for what rctl(8) cannot do with a resource.
Result<Limits> parse_limits(const nlohmann::json& value, const std::string& at);
nlohmann::json to_json(const Limits& limits);

/// 0 … SpecLimits::priority.
Result<unsigned> parse_priority(const nlohmann::json& value, const std::string& at);

/// 1 … 65535.
Result<int> parse_devfs_ruleset(const nlohmann::json& value, const std::string& at);

/// An argv: at most SpecLimits::argv_elements, SpecLimits::argv_bytes in all; the first one, if any, not empty.
Result<std::vector<std::string>> parse_argv(const nlohmann::json& value, const std::string& at);

}  // namespace jaild::model
