#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/units.h"

/// What happens when a jail's command ends by itself. Plain values.
namespace jaild::model {

enum class RestartPolicy {
    no,          ///< it is run once for each start that somebody asks for
    on_failure,  ///< again, unless it exits with code 0
    always,
};
std::string_view to_string(RestartPolicy policy);

/// A restart makes the whole jail anew, as a start does. The first in a row comes at once; each further one waits twice
/// as long as the one before it, from `delay` up to `max_delay`. All of it is live.
struct RestartSpec {
    RestartPolicy policy = RestartPolicy::no;
    Milliseconds delay{1'000};         ///< before the second restart in a row
    Milliseconds max_delay{60'000};    ///< at least `delay`
    Milliseconds reset_after{60'000};  ///< a command that ran so long begins a new row
    unsigned max_retries = 0;          ///< restarts within `window`; one more would be too many. 0: no limit
    Milliseconds window{600'000};
    bool operator==(const RestartSpec&) const = default;

    static constexpr unsigned kMostRetries = 1'000;
};

/// "always" alone, or {"policy", "delay", "max_delay", "reset_after", "max_retries", "window"}: whole seconds, and null
/// for no limit of retries.
Result<RestartSpec> parse_restart(const nlohmann::json& value, const std::string& at);
/// The object, with all fields.
nlohmann::json to_json(const RestartSpec& restart);

}  // namespace jaild::model
