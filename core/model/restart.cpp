#include "core/model/restart.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/ascii.h"
#include "core/model/fields.h"
#include "core/model/spec_parts.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

namespace {

Result<RestartPolicy> parse_policy(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kWordBytes);
    if (!text) return std::unexpected(text.error());
    for (const auto policy : {RestartPolicy::no, RestartPolicy::on_failure, RestartPolicy::always})
        if (*text == to_string(policy)) return policy;
    return std::unexpected(
        Error::invalid("invalid_value", at, in_quotes(*text) + R"( is none of "no", "on-failure" and "always")"));
}

Result<unsigned> parse_retries(const json& value, const std::string& at) {
    if (value.is_null()) return 0U;
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "an integer or null"));
    const auto count = value.get<std::int64_t>();
    if (count >= 1 && count <= RestartSpec::kMostRetries) return static_cast<unsigned>(count);
    return std::unexpected(Error::invalid("invalid_value", at,
                                          "from 1 to " + std::to_string(RestartSpec::kMostRetries) +
                                              " restarts within the window, or null for any number"));
}

std::int64_t seconds(Milliseconds duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

std::string_view to_string(RestartPolicy policy) {
    switch (policy) {
        case RestartPolicy::no:
            return "no";
        case RestartPolicy::on_failure:
            return "on-failure";
        case RestartPolicy::always:
            return "always";
    }
    std::unreachable();
}

Result<RestartSpec> parse_restart(const json& value, const std::string& at) {
    RestartSpec restart;
    if (!value.is_object()) {
        if (!value.is_string()) return std::unexpected(wrong_type(at, "a policy like \"always\", or an object"));
        auto policy = parse_policy(value, at);
        if (!policy) return std::unexpected(policy.error());
        restart.policy = *policy;
        return restart;
    }
    Fields fields(value, at);
    const auto duration = [&](std::string_view key, Milliseconds& target) {
        fields.read(key, [&](const json& given, const std::string& where) -> Result<void> {
            auto parsed = parse_timeout(given, where);
            if (!parsed) return std::unexpected(parsed.error());
            target = *parsed;
            return {};
        });
    };
    fields.read("policy", [&](const json& given, const std::string& where) -> Result<void> {
        auto parsed = parse_policy(given, where);
        if (!parsed) return std::unexpected(parsed.error());
        restart.policy = *parsed;
        return {};
    });
    duration("delay", restart.delay);
    const bool capped = fields.has("max_delay");
    duration("max_delay", restart.max_delay);
    if (!capped) restart.max_delay = std::max(restart.max_delay, restart.delay);
    duration("reset_after", restart.reset_after);
    duration("window", restart.window);
    fields.read("max_retries", [&](const json& given, const std::string& where) -> Result<void> {
        auto parsed = parse_retries(given, where);
        if (!parsed) return std::unexpected(parsed.error());
        restart.max_retries = *parsed;
        return {};
    });
    if (restart.max_delay < restart.delay)
        fields.fail(
            Error::invalid("invalid_value", fields.at("max_delay"), "the longest wait is shorter than `delay`"));
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return restart;
}

json to_json(const RestartSpec& restart) {
    return {{"policy", to_string(restart.policy)},
            {"delay", seconds(restart.delay)},
            {"max_delay", seconds(restart.max_delay)},
            {"reset_after", seconds(restart.reset_after)},
            {"max_retries", restart.max_retries == 0 ? json() : json(restart.max_retries)},
            {"window", seconds(restart.window)}};
}

}  // namespace jaild::model
