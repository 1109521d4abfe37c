#include "core/model/dependencies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "core/model/fields.h"
#include "core/model/name.h"

namespace jaild::model {
namespace {

std::string key_of(const std::string& name) {
    const auto parsed = Name::parse(name);
    return parsed ? parsed->key() : name;
}

const std::vector<std::string>& named_by(const std::string& key, const Dependencies& all) {
    static const std::vector<std::string> none;
    const auto found = all.find(key);
    return found == all.end() ? none : found->second;
}

/// The way from `from` to `target`, with both, or nothing. `seen` leads nowhere.
std::vector<std::string> way(const std::string& from, const std::string& target, const Dependencies& all,
                             std::set<std::string>& seen) {
    for (const auto& name : named_by(key_of(from), all)) {
        if (key_of(name) == target) return {from, name};
        if (!seen.insert(key_of(name)).second) continue;
        auto rest = way(name, target, all, seen);
        if (rest.empty()) continue;
        rest.insert(rest.begin(), from);
        return rest;
    }
    return {};
}

}  // namespace

Result<void> parse_dependency(const nlohmann::json& value, const std::string& at, std::vector<std::string>& names) {
    if (!value.is_string()) return std::unexpected(wrong_type(at, "the name of a jail"));
    const auto name = Name::parse(value.get_ref<const std::string&>(), at);
    if (!name) return std::unexpected(name.error());
    const auto same = [&](const std::string& other) { return key_of(other) == name->key(); };
    if (std::ranges::any_of(names, same))
        return std::unexpected(Error::invalid("invalid_value", at, name->text() + " is named twice"));
    names.push_back(name->text());
    return {};
}

Result<void> check_no_cycle(const std::string& name, const std::vector<std::string>& names, const Dependencies& all) {
    auto with = all;
    with[key_of(name)] = names;
    std::set<std::string> seen;
    const auto around = way(name, key_of(name), with, seen);
    if (around.empty()) return {};
    auto error = Error::invalid("dependency_cycle", "/depends_on",
                                fmt::format("none of them could ever start first: {}", fmt::join(around, " needs ")));
    error.remedy = "take one of these out of the other's depends_on";
    return std::unexpected(std::move(error));
}

std::vector<std::string> stop_order(const std::vector<std::string>& keys, const Dependencies& all) {
    // What is visited last stands on nobody's shoulders: its own dependencies went before it.
    std::vector<std::string> upwards;
    std::set<std::string> seen;
    const std::function<void(const std::string&)> visit = [&](const std::string& key) {
        if (!seen.insert(key).second) return;
        for (const auto& name : named_by(key, all)) visit(key_of(name));
        upwards.push_back(key);
    };
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) visit(*key);
    std::ranges::reverse(upwards);
    std::erase_if(upwards, [&](const std::string& key) { return std::ranges::find(keys, key) == keys.end(); });
    return upwards;
}

}  // namespace jaild::model
