#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace jaild::cli {

/// Standard input to its end, whatever it is: a file, a pipe, a terminal. Errc::exhausted beyond `limit` bytes.
/// Blocking.
Result<std::string> read_standard_input(std::size_t limit);

/// The next piece of a file or a pipe, for Request::upload; empty at its end. Blocking.
Result<std::string> read_piece(int from);

/// "KEY=VALUE" options as an object. One that has no "=" is said on standard error: nothing then.
std::optional<nlohmann::json> pairs(const std::vector<std::string>& texts, std::string_view option);

}  // namespace jaild::cli
