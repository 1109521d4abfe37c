#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/error.h"

/// Jails that must be up before another one starts. Pure.
namespace jaild::model {

/// Names of other jails, which need not exist; each once.
Result<void> parse_dependency(const nlohmann::json& value, const std::string& at, std::vector<std::string>& names);

/// Name::key() of each jail that depends on any, with what it names.
using Dependencies = std::map<std::string, std::vector<std::string>>;

/// Errc::invalid "dependency_cycle", /depends_on, with the way around, when `all` with `name` depending on `names` has
/// a way from `name` back to it.
Result<void> check_no_cycle(const std::string& name, const std::vector<std::string>& names, const Dependencies& all);

/// Keys so that whoever depends on another comes before it, else in their order: the order of a shutdown. Of a cycle,
/// which nobody can write, in any order.
std::vector<std::string> stop_order(const std::vector<std::string>& keys, const Dependencies& all);

}  // namespace jaild::model
