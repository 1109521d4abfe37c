#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/base/units.h"
#include "core/model/health.h"

/// What a jail is now, as its clients see it.
namespace jaild::model {

enum class JailState { importing, stopped, starting, running, stopping, failed, dying };
std::string_view to_string(JailState state);

/// The reason of condition "Ready" of a jail that waits for another which nobody brings up by himself.
inline constexpr std::string_view kDependencyDown = "DependencyDown";

/// One statement about a jail. `type` is CamelCase and stable: "Ready", "RestartRequired", "NameTaken", "NatMissing".
struct Condition {
    std::string type;
    bool status = false;
    std::string reason;   ///< CamelCase or an Error's name
    std::string message;  ///< what failed, on which object, with which errno, and what the user can do
    UtcTime since;
    bool operator==(const Condition&) const = default;
};

/// LastExit::reason of a jail whose probes failed: not an end, but what a restart answers.
inline constexpr std::string_view kUnhealthy = "unhealthy";

/// How the supervised command, or the last run of it, ended.
struct LastExit {
    int exit_code = 0;  ///< 128 + signal when a signal ended it
    int signal = 0;     ///< 0: it exited by itself
    std::string
        reason;  ///< "exited", "signaled", "lost" (its shim was killed), "failed_to_start", "emptied" (no process left)
    UtcTime at;
    Milliseconds ran{};  ///< from its start; 0 when nobody knows
    bool operator==(const LastExit&) const = default;
};

/// One interface of a jail, as it is or would be.
struct InterfaceStatus {
    std::string name;     ///< inside
    std::string network;  ///< its name
    std::vector<Prefix> addresses;
    bool operator==(const InterfaceStatus&) const = default;
};

struct JailStatus {
    JailState state = JailState::stopped;
    std::int64_t jid = 0;  ///< FreeBSD; 0 elsewhere
    std::int64_t pid = 0;  ///< Linux: the pause process; 0: none
    std::int64_t command_pid = 0;
    std::vector<Prefix> addresses;  ///< of all interfaces
    std::vector<InterfaceStatus> interfaces;
    std::optional<LastExit> last_exit;
    /// How often a limit killed something or refused it, by resource, in this life of the jail; only those that did.
    std::map<std::string, std::uint64_t> limit_breaches;
    std::uint64_t restarts = 0;            ///< that its policy made since the last start that somebody asked for
    std::optional<HealthStatus> health{};  ///< while it runs, of one with a probe
    Generation observed_generation = 0;
    std::vector<Condition> conditions;
    bool operator==(const JailStatus&) const = default;
};

nlohmann::json to_json(const JailStatus& status);
nlohmann::json to_json(const LastExit& exit);

/// Adds or replaces the condition of that type; `since` is kept when status and reason stay the same.
void set_condition(std::vector<Condition>& conditions, Condition condition);

}  // namespace jaild::model
