#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/model/fields.h"
#include "core/model/spec_parts.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::size_t kActionBytes = 64;
constexpr std::array<std::string_view, 4> kPer{"process", "user", "loginclass", "jail"};
constexpr std::int64_t kMillion = 1'000'000;

Error no_such_action(const LimitResource& resource, const std::string& at, std::string_view action) {
    auto error = Error::invalid("unsupported_action", at,
                                "rctl(8) cannot " + std::string(action) + " " + std::string(resource.name));
    error.remedy = resource.throttle ? "use throttle, log, devctl or a signal" : "use log, devctl or a signal";
    if (resource.deny) error.remedy = "use deny, log, devctl or a signal";
    return error;
}

Result<void> check_action(const LimitResource& resource, const std::string& action, const std::string& at) {
    if (action == "deny" && !resource.deny) return std::unexpected(no_such_action(resource, at, action));
    if (action == "throttle" && !resource.throttle) return std::unexpected(no_such_action(resource, at, action));
    if (action == "deny" || action == "throttle" || action == "log" || action == "devctl" || is_limit_signal(action))
        return {};
    return std::unexpected(
        Error::invalid("invalid_value", at, "one of deny, log, devctl, throttle and a signal: sigterm"));
}

Result<void> check_per(const LimitResource& resource, const std::string& per, const std::string& at) {
    if (std::ranges::find(kPer, per) == kPer.end())
        return std::unexpected(Error::invalid("invalid_value", at, "one of process, user, loginclass and jail"));
    if (per != "process" || resource.per_process) return {};
    return std::unexpected(Error::invalid(
        "unsupported_action", at, "rctl(8) does not count " + std::string(resource.name) + " for each process"));
}

/// A text only for bytes: "512M".
Result<std::uint64_t> read_amount(const LimitResource& resource, const json& value, const std::string& at) {
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    if (value.is_number_integer()) {
        const auto number = value.get<std::int64_t>();
        if (number >= 0) return static_cast<std::uint64_t>(number);
        return std::unexpected(Error::invalid("invalid_value", at, "an amount is not negative"));
    }
    if (resource.unit != LimitUnit::bytes) return std::unexpected(wrong_type(at, "a whole number"));
    if (!value.is_string()) return std::unexpected(wrong_type(at, "a size like \"512M\", or a number of bytes"));
    auto size = Bytes::parse(value.get_ref<const std::string&>());
    if (!size) {
        size.error().field = at;
        return std::unexpected(size.error());
    }
    return size->count;
}

Result<std::int64_t> parse_amount(const LimitResource& resource, const json& value, const std::string& at) {
    const auto amount = read_amount(resource, value, at);
    if (!amount) return std::unexpected(amount.error());
    if (*amount == 0 && resource.needed)
        return std::unexpected(
            Error::invalid("invalid_value", at, "no jail can run without any " + std::string(resource.name)));
    const auto most = std::numeric_limits<std::int64_t>::max() / (resource.in_millions ? kMillion : 1);
    if (*amount > static_cast<std::uint64_t>(most))
        return std::unexpected(Error::invalid("invalid_value", at, "at most " + std::to_string(most)));
    return static_cast<std::int64_t>(*amount);
}

Result<void> parse_object(const LimitResource& resource, const json& value, const std::string& at, Limit& limit) {
    Fields fields(value, at);
    fields.require("amount");
    fields.read("amount", [&](const json& amount, const std::string& where) -> Result<void> {
        const auto parsed = parse_amount(resource, amount, where);
        if (!parsed) return std::unexpected(parsed.error());
        limit.amount = *parsed;
        return {};
    });
    fields.text("action", limit.action, kActionBytes);
    fields.text("per", limit.per, kActionBytes);
    return fields.done();
}

Result<Limit> parse_limit(const LimitResource& resource, const json& value, const std::string& at) {
    Limit limit{.action = std::string(default_action(resource))};
    if (value.is_object()) {
        if (auto parsed = parse_object(resource, value, at, limit); !parsed) return std::unexpected(parsed.error());
    } else {
        const auto amount = parse_amount(resource, value, at);
        if (!amount) return std::unexpected(amount.error());
        limit.amount = *amount;
    }
    if (limit.action.empty()) {
        auto error = Error::invalid("missing_field", pointer(at, "action"),
                                    std::string(resource.name) + " cannot be denied: say what is to happen");
        error.remedy = R"(use {"amount": 3600, "action": "sigterm"}, or another signal, log or devctl)";
        return std::unexpected(std::move(error));
    }
    if (auto good = check_action(resource, limit.action, pointer(at, "action")); !good)
        return std::unexpected(good.error());
    if (auto good = check_per(resource, limit.per, pointer(at, "per")); !good) return std::unexpected(good.error());
    return limit;
}

}  // namespace

Result<Limits> parse_limits(const json& value, const std::string& at) {
    if (!value.is_object()) return std::unexpected(wrong_type(at, "an object"));
    Limits limits;
    for (const auto& [name, entry] : value.items()) {
        const auto where = pointer(at, name);
        const auto* resource = limit_resource(name);
        if (resource == nullptr)
            return std::unexpected(
                Error::invalid("unknown_field", where, "no such resource; there are " + limit_resource_names()));
        auto limit = parse_limit(*resource, entry, where);
        if (!limit) return std::unexpected(limit.error());
        limits.emplace(name, *std::move(limit));
    }
    return limits;
}

json to_json(const Limits& limits) {
    json object = json::object();
    for (const auto& [name, limit] : limits) {
        const auto* resource = limit_resource(name);
        const bool bytes = resource != nullptr && resource->unit == LimitUnit::bytes;
        json amount = limit.amount;
        if (bytes) amount = Bytes{static_cast<std::uint64_t>(limit.amount)}.to_string();
        object[name] = {{"amount", std::move(amount)}, {"action", limit.action}, {"per", limit.per}};
    }
    return object;
}

}  // namespace jaild::model
