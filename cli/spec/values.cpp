#include "cli/spec/values.h"

#include <charconv>

namespace jaild::cli {
namespace {

using nlohmann::json;

/// Before and after the first `separator`; nothing for the second where there is none.
std::pair<std::string, std::optional<std::string>> split(std::string_view text, char separator) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) return {std::string(text), std::nullopt};
    return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

json json_of(const std::string& text) {
    return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

/// A size stays a text: "512M".
json amount_of(const std::string& text) {
    auto value = json_of(text);
    return value.is_number_integer() ? value : json(text);
}

}  // namespace

std::optional<Field> limit_field(std::string_view text) {
    const auto [left, right] = split(text, '=');
    if (!right) return std::nullopt;
    const auto [resource, action] = split(left, ':');
    const auto [amount, per] = split(*right, '/');
    if (resource.empty() || amount.empty()) return std::nullopt;
    if (!action && !per) return Field{resource, amount_of(amount)};
    json limit{{"amount", amount_of(amount)}};
    if (action) limit["action"] = *action;
    if (per) limit["per"] = *per;
    return Field{resource, std::move(limit)};
}

std::optional<json> publish_entry(std::string_view text) {
    json entry = json::object();
    auto [rest, protocol] = split(text, '/');
    if (protocol) entry["protocol"] = *protocol;
    if (rest.starts_with('[')) {
        const auto end = rest.find("]:");
        if (end == std::string::npos) return std::nullopt;
        entry["host_address"] = rest.substr(1, end - 1);
        rest.erase(0, end + 2);
    } else if (rest.find('.') != std::string::npos) {
        const auto [address, ports] = split(rest, ':');
        if (!ports) return std::nullopt;
        entry["host_address"] = address;
        rest = *ports;
    }
    const auto [host, jail] = split(rest, ':');
    if (host.empty() || (jail && (jail->empty() || jail->find(':') != std::string::npos))) return std::nullopt;
    entry["host_port"] = amount_of(host);
    if (jail) entry["jail_port"] = amount_of(*jail);
    return entry;
}

std::optional<json> mount_entry(std::string_view text) {
    const auto [from, rest] = split(text, ':');
    if (!rest || from.empty()) return std::nullopt;
    const auto [target, options] = split(*rest, ':');
    if (target.empty()) return std::nullopt;
    json entry{{"target", target}};
    if (const auto [type, source] = split(from, '='); source) {
        entry["type"] = type;
        entry["source"] = *source;
    } else if (from.starts_with('/')) {
        entry["source"] = from;
    } else {
        entry["type"] = from;
    }
    for (auto left = options; left;) {
        auto [option, others] = split(*left, ',');
        left = std::move(others);
        const auto [name, value] = split(option, '=');
        if (name == "size" && value)
            entry["size"] = *value;
        else if (name == "create" && !value)
            entry["create"] = true;
        else
            entry["options"].push_back(option);
    }
    return entry;
}

std::optional<json> dependency_entry(std::string_view text) {
    const auto [name, rest] = split(text, ':');
    if (name.empty()) return std::nullopt;
    if (!rest) return json(name);
    const auto [condition, on_death] = split(*rest, ':');
    if (condition.empty() || (on_death && on_death->empty())) return std::nullopt;
    json entry{{"jail", name}, {"condition", condition}};
    if (on_death) entry["on_death"] = *on_death;
    return entry;
}

std::optional<json> restart_value(std::string_view text) {
    const auto [policy, retries] = split(text, ':');
    if (policy.empty()) return std::nullopt;
    if (!retries) return json(policy);
    if (retries->empty()) return std::nullopt;
    return json{{"policy", policy}, {"max_retries", amount_of(*retries)}};
}

std::optional<std::int64_t> seconds_of(std::string_view text) {
    constexpr std::int64_t most = 31'536'000;
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (error != std::errc{} || count < 1 || count > most) return std::nullopt;
    for (const auto& [name, seconds] :
         {std::pair<std::string_view, std::int64_t>{"", 1}, {"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}})
        if (unit == name) return count <= most / seconds ? std::optional(count * seconds) : std::nullopt;
    return std::nullopt;
}

std::optional<Field> parameter_field(std::string_view text) {
    const auto [name, value] = split(text, '=');
    if (name.empty()) return std::nullopt;
    if (!value) return Field{name, true};
    auto read = json_of(*value);
    const bool plain = read.is_boolean() || read.is_number_integer() || read.is_string() || read.is_array();
    return Field{name, plain ? std::move(read) : json(*value)};
}

}  // namespace jaild::cli
