#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Limits by the names of rctl(8). Pure.
namespace jaild::model {

/// What happens when a jail comes to have more than `amount` of a resource.
struct Limit {
    std::int64_t amount = 0;   ///< bytes, seconds, percent of one processor, or a count, as the resource has it
    std::string action;        ///< "deny", "log", "devctl", "throttle", or a signal: "sigterm"
    std::string per = "jail";  ///< what is counted together: "process", "user", "loginclass", "jail"
    auto operator<=>(const Limit&) const = default;
};
/// By resource, one for each: "memoryuse".
using Limits = std::map<std::string, Limit>;

/// One rule as a kernel has it. There can be several for one resource if somebody else adds them.
struct LimitRule {
    std::string resource;
    Limit limit;
    auto operator<=>(const LimitRule&) const = default;
};
/// Sorted.
std::vector<LimitRule> rules_of(const Limits& limits);

enum class LimitUnit { bytes, seconds, percent, count };

/// A resource of rctl(8), with what its kernel part can do: racct_types of kern_racct.c and rctl_rule_add() of
/// kern_rctl.c, FreeBSD 14.0.
struct LimitResource {
    std::string_view name;
    LimitUnit unit = LimitUnit::count;
    bool deny = true;
    bool throttle = false;
    bool per_process = true;
    bool needed = false;       ///< without any of it no jail can run: 0 is refused
    bool in_millions = false;  ///< counted in millionths: no amount beyond 2^63 / 10^6
};
/// nullptr: there is none of that name.
const LimitResource* limit_resource(std::string_view name);
/// "cputime, datasize, …"
std::string limit_resource_names();
/// The action of a limit that names none; empty: it must name one.
std::string_view default_action(const LimitResource& resource);
/// A signal that rctl(8) can send: "sigterm".
bool is_limit_signal(std::string_view action);

}  // namespace jaild::model
