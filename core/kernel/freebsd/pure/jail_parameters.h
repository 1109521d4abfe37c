#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/kernel/jails.h"

/// The parameters of jail_set(2), before they are pointers. Pure.
namespace jaild::kernel::freebsd {

/// JAIL_SYS_* of <sys/jail.h>: how a jail gets a subsystem such as vnet.
enum class JailSys : int { disable = 0, create = 1, inherit = 2 };
/// "disable", "new", "inherit", as jail(8) has them.
std::string_view to_string(JailSys how);

/// One name and value. A bool has no value of its own: false is told by the parameter's name ("nopersist"). Integers
/// are as wide as the kernel's: int, and long or quad. Addresses are all of one family.
struct Parameter {
    std::string name;
    std::variant<bool, int, std::int64_t, std::uint64_t, std::string, std::vector<IpAddress>> value;
    bool operator==(const Parameter&) const = default;
};
using Parameters = std::vector<Parameter>;

/// What a jail of ours is made with, but for `persist`: it is given that last, when the jail is complete. `chosen` by
/// its user come in place of ours. `meta`: jail_meta(); empty where this kernel has no place for it.
Parameters creation_parameters(const JailParameters& parameters, const std::filesystem::path& root,
                               const Parameters& chosen = {}, const std::string& meta = {});

/// The parameter that says that a jail has a network stack of its own: JailSys::create.
inline constexpr const char* kVnet = "vnet";

/// The ruleset of /dev: `chosen`, or the one that /etc/defaults/devfs.rules has for jails of this kind.
int devfs_ruleset(std::optional<int> chosen, model::NetworkMode mode);
/// One of ours, for a jail in which a DHCP client runs: that of vnet jails, and bpf(4). Far from what people number.
inline constexpr int kRulesetWithBpf = 27'233;

/// The bytes of one pair of iovecs: a name with its NUL; a string with its NUL, an integer in the machine's order,
/// packed addresses in network order, or no value at all. An empty list has a value without bytes.
struct EncodedParameter {
    std::string name;
    std::optional<std::string> value;
    bool operator==(const EncodedParameter&) const = default;
};
std::vector<EncodedParameter> encode(const Parameters& parameters);

/// As an argument of a program: "persist=b:1", "enforce_statfs=i:2", "name=s:web", "host.hostid=Q:7", "ip4.addr=a:".
std::string to_argument(const Parameter& parameter);
Result<Parameter> parse_argument(std::string_view argument);

}  // namespace jaild::kernel::freebsd
