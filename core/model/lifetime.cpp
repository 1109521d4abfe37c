#include "core/model/lifetime.h"

#include <nlohmann/json.hpp>

#include "core/model/fields.h"

namespace jaild::model {

using nlohmann::json;

namespace {

std::int64_t whole_seconds(Milliseconds duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

Result<Milliseconds> parse_whole_seconds(const json& value, const std::string& at, std::int64_t most) {
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "an integer"));
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most);
    const auto count = huge ? most + 1 : value.get<std::int64_t>();
    if (count >= 1 && count <= most) return std::chrono::seconds(count);
    return std::unexpected(Error::invalid("invalid_value", at, "from 1 to " + std::to_string(most) + " seconds"));
}

}  // namespace

Result<std::optional<EphemeralSpec>> parse_ephemeral(const json& value, const std::string& at) {
    if (value.is_null()) return std::nullopt;
    if (value.is_boolean()) return value.get<bool>() ? std::optional(EphemeralSpec{}) : std::nullopt;
    if (!value.is_object()) return std::unexpected(wrong_type(at, "a boolean, or an object"));
    EphemeralSpec ephemeral;
    Fields fields(value, at);
    fields.read("grace", [&](const json& given, const std::string& where) -> Result<void> {
        auto parsed = parse_whole_seconds(given, where, LifetimeLimits::grace_seconds);
        if (!parsed) return std::unexpected(parsed.error());
        ephemeral.grace = *parsed;
        return {};
    });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return ephemeral;
}

json to_json(const std::optional<EphemeralSpec>& ephemeral) {
    if (!ephemeral) return false;
    return {{"grace", whole_seconds(ephemeral->grace)}};
}

Result<Milliseconds> parse_ttl(const json& value, const std::string& at) {
    if (value.is_null()) return Milliseconds{0};
    return parse_whole_seconds(value, at, LifetimeLimits::ttl_seconds);
}

json ttl_to_json(Milliseconds ttl) {
    return ttl.count() == 0 ? json() : json(whole_seconds(ttl));
}

}  // namespace jaild::model
