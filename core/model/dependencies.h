#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"

/// Jails that must be up before another one starts. Pure.
namespace jaild::model {

/// What it must be before the other one starts.
enum class DependencyCondition {
    started,  ///< it runs
    healthy,  ///< and its probe, if it has one, says that it works
};
std::string_view to_string(DependencyCondition condition);

/// What follows when it is made anew, whoever asked for that, while the other one runs.
enum class OnDeath {
    ignore,   ///< nothing
    restart,  ///< the other one is made anew after it
};
std::string_view to_string(OnDeath on_death);

struct Dependency {
    /// By its name alone.
    Dependency(std::string name) : jail(std::move(name)) {}  // NOLINT(google-explicit-constructor)
    Dependency(const char* name) : jail(name) {}             // NOLINT(google-explicit-constructor)

    std::string jail;  ///< its name; it need not exist
    DependencyCondition condition = DependencyCondition::started;
    OnDeath on_death = OnDeath::ignore;
    bool operator==(const Dependency&) const = default;
};

/// One entry, a name or {"jail", "condition", "on_death"}, added to what was read before it: each jail once.
Result<void> parse_dependency(const nlohmann::json& value, const std::string& at, std::vector<Dependency>& all);
/// The name alone when it says it all.
nlohmann::json to_json(const Dependency& dependency);
/// The jail that such an entry names; empty for anything else.
std::string named_in(const nlohmann::json& entry);

/// Name::key() of what may be none.
std::string key_of(const std::string& name);
std::vector<std::string> names_of(const std::vector<Dependency>& dependencies);

/// Name::key() of each jail that depends on any, with what it names.
using Dependencies = std::map<std::string, std::vector<std::string>>;

/// Errc::invalid "dependency_cycle", /depends_on, with the way around, when `all` with `name` depending on `names` has
/// a way from `name` back to it.
Result<void> check_no_cycle(const std::string& name, const std::vector<std::string>& names, const Dependencies& all);

/// Keys so that whoever depends on another comes before it, else in their order: the order of a shutdown. Of a cycle,
/// which nobody can write, in any order.
std::vector<std::string> stop_order(const std::vector<std::string>& keys, const Dependencies& all);

}  // namespace jaild::model
