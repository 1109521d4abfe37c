#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild::api {

/// Parses one JSON value. Errc::invalid "invalid_utf8", "malformed_json", "duplicate_key", and
/// "json_too_deep" as soon as arrays and objects nest deeper than `depth`: nothing beneath is read.
Result<nlohmann::json> parse_json(std::string_view text, std::size_t depth);

/// Compact; bytes that are not UTF-8 (a path of the host in an error's detail) become U+FFFD.
std::string dump(const nlohmann::json& value);

}  // namespace jaild::api
