#include "api/v1/jail_filter.h"

namespace jaild::api::v1 {
namespace {

Result<model::JailState> parse_state(std::string_view text) {
    using enum model::JailState;
    for (const auto state : {importing, stopped, starting, running, stopping, failed, dying})
        if (model::to_string(state) == text) return state;
    return std::unexpected(
        invalid_parameter("state", "must be importing, stopped, starting, running, stopping, failed or dying"));
}

}  // namespace

Result<JailQuery> jail_filter(const Query& query) {
    JailQuery wanted;
    if (const auto state = query.find("state")) {
        auto parsed = parse_state(*state);
        if (!parsed) return std::unexpected(parsed.error());
        wanted.state = *parsed;
    }
    if (const auto name = query.find("template")) wanted.template_name = *name;
    for (const auto& [name, value] : query.items()) {
        if (name != "label") continue;
        const auto equals = value.find('=');
        if (equals == std::string::npos || equals == 0)
            return std::unexpected(invalid_parameter("label", "must be KEY=VALUE"));
        wanted.labels.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    }
    return wanted;
}

}  // namespace jaild::api::v1
