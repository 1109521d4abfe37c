#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/base/error.h"

/// Sets of processors, as cpuset(1) and the kernel's cpulists write them: "0-3,6". Pure.
namespace jaild::model {

using Cpus = std::set<unsigned>;
inline constexpr unsigned kMostCpus = 1024;  ///< MAXCPU of FreeBSD 14 and later

/// Nothing for what is no such list, is empty, or names one from kMostCpus on.
std::optional<Cpus> parse_cpus(std::string_view text);
/// Ascending, with ranges: the same for the same set.
std::string to_string(const Cpus& cpus);

/// JSON: a text, which is kept as to_string() writes it; "" for all that there are.
Result<std::string> parse_cpuset(const nlohmann::json& value, const std::string& at);

}  // namespace jaild::model
