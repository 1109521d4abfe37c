#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/units.h"

/// How long a jail is wanted. Plain values.
namespace jaild::model {

/// A jail that goes by itself, root too, as soon as nobody needs it: with a command when that has ended for good,
/// without one when nobody has run a program in it for `grace`. A stop of it is its end, and so is one of the host.
struct EphemeralSpec {
    Milliseconds grace{30'000};
    bool operator==(const EphemeralSpec&) const = default;
};

struct LifetimeLimits {
    static constexpr std::int64_t grace_seconds = 86'400;
    static constexpr std::int64_t ttl_seconds = 31'536'000;  ///< a year
};

/// true, false or {"grace": seconds}.
Result<std::optional<EphemeralSpec>> parse_ephemeral(const nlohmann::json& value, const std::string& at);
/// false, or the object.
nlohmann::json to_json(const std::optional<EphemeralSpec>& ephemeral);

/// Whole seconds, or null for none: 0.
Result<Milliseconds> parse_ttl(const nlohmann::json& value, const std::string& at);
nlohmann::json ttl_to_json(Milliseconds ttl);

}  // namespace jaild::model
