#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/ip.h"

/// Parameters of jail(8) by their own names. What a name means and which type it has only a kernel knows; here is what
/// can be said without one.
namespace jaild::model {

/// As JSON has it: boolean, whole number (std::uint64_t only beyond the range of std::int64_t), string, addresses.
using ParameterValue = std::variant<bool, std::int64_t, std::uint64_t, std::string, std::vector<IpAddress>>;
/// The only spelling of a number: std::int64_t where it fits.
ParameterValue number_value(std::uint64_t number);
/// A boolean may also be given by its "no" name: "allow.nomount": true is "allow.mount": false.
using Parameters = std::map<std::string, ParameterValue>;

struct ParameterLimits {
    static constexpr std::size_t entries = 128;
    static constexpr std::size_t name_bytes = 128;
    static constexpr std::size_t text_bytes = 1023;  ///< the longest of jail_set(2): MAXPATHLEN less its NUL
    static constexpr std::size_t addresses = 255;    ///< security.jail.jail_max_af_ips of FreeBSD 14
};

/// "allow.mount" for "allow.nomount": the "no" before the last part of a name is taken away. Empty: there is none.
std::string without_no(std::string_view name);
/// "allow.nomount" for "allow.mount". jail(8): "no" stands before the last part.
std::string with_no(std::string_view name);

/// jail_set(2) refuses it on a jail that exists: CTLFLAG_RDTUN of its sysctl in kern_jail.c (14.0). All others that a
/// user may set are CTLFLAG_RW.
bool only_at_creation(std::string_view name);

/// JSON pointers of the parameters that a running jail takes only at its next start, sorted: those that are fixed at
/// its creation, and those taken away, whose default only a new jail gets.
std::vector<std::string> parameters_for_restart(const Parameters& from, const Parameters& to);
/// What a running jail that was made with `made` has by now, if `row` is asked for.
Parameters running_parameters(const Parameters& made, const Parameters& row);
/// `made`, and what `more` has that it says nothing of, by neither of a parameter's two names.
Parameters with_more(Parameters made, const Parameters& more);
/// Those that can be set on a running jail.
Parameters live_parameters(const Parameters& all);

/// The first parameter that `to` has otherwise than `from` and that lets a jail see or disturb more of the host than it
/// does without: an admin's to choose. What only restricts a jail, or concerns nobody but itself, is not among them,
/// nor is one taken away. jail(8) says what each permits.
std::optional<std::string> parameter_for_admins(const Parameters& from, const Parameters& to);

/// The same value; 0 and 1 are false and true.
bool same_value(const ParameterValue& one, const ParameterValue& other);

}  // namespace jaild::model
