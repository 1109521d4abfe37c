#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/kernel/jails.h"

/// The parameters of jail_set(2), before they are pointers. Pure.
namespace jaild::kernel::freebsd {

/// JAIL_SYS_* of <sys/jail.h>: how a jail gets a subsystem such as vnet.
enum class JailSys : int { disable = 0, create = 1, inherit = 2 };

/// One name and value. A bool has no value of its own: false is told by the parameter's name ("nopersist").
struct Parameter {
    std::string name;
    std::variant<bool, int, std::string> value;
    bool operator==(const Parameter&) const = default;
};
using Parameters = std::vector<Parameter>;

/// What a jail of ours is made with, but for `persist`: it is given that last, when the jail is complete.
Parameters creation_parameters(const JailParameters& parameters, const std::filesystem::path& root);

/// "nopersist", "allow.nomount": the name of a boolean parameter that is off. jail(8): "no" stands before the last
/// part.
std::string negated(std::string_view name);

/// The bytes of one pair of iovecs: a name with its NUL; a string with its NUL, an int in the machine's order, or no
/// value at all.
struct EncodedParameter {
    std::string name;
    std::optional<std::string> value;
    bool operator==(const EncodedParameter&) const = default;
};
std::vector<EncodedParameter> encode(const Parameters& parameters);

/// As an argument of a program: "persist=b:1", "enforce_statfs=i:2", "name=s:web".
std::string to_argument(const Parameter& parameter);
Result<Parameter> parse_argument(std::string_view argument);

}  // namespace jaild::kernel::freebsd
