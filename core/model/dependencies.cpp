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

using nlohmann::json;

std::string key_of(const std::string& name) {
    const auto parsed = Name::parse(name);
    return parsed ? parsed->key() : name;
}

namespace {

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

/// One of a few words.
template <class Word>
void read_word(Fields& fields, std::string_view key, Word& target, std::initializer_list<Word> words) {
    fields.read(key, [&](const json& value, const std::string& at) -> Result<void> {
        const auto text = read_text(value, at, kWordBytes);
        if (!text) return std::unexpected(text.error());
        std::string known;
        for (const auto word : words) {
            if (*text == to_string(word)) {
                target = word;
                return {};
            }
            known += fmt::format("{}\"{}\"", known.empty() ? "" : " or ", to_string(word));
        }
        return std::unexpected(Error::invalid("invalid_value", at, "must be " + known));
    });
}

}  // namespace

std::string_view to_string(DependencyCondition condition) {
    return condition == DependencyCondition::healthy ? "healthy" : "started";
}

std::string_view to_string(OnDeath on_death) {
    return on_death == OnDeath::restart ? "restart" : "ignore";
}

Result<void> parse_dependency(const json& value, const std::string& at, std::vector<Dependency>& all) {
    Dependency dependency("");
    const auto read_name = [&](const json& given, const std::string& where) -> Result<void> {
        if (!given.is_string()) return std::unexpected(wrong_type(where, "the name of a jail"));
        const auto name = Name::parse(given.get_ref<const std::string&>(), where);
        if (!name) return std::unexpected(name.error());
        const auto same = [&](const Dependency& other) { return key_of(other.jail) == name->key(); };
        if (std::ranges::any_of(all, same))
            return std::unexpected(Error::invalid("invalid_value", where, name->text() + " is named twice"));
        dependency.jail = name->text();
        return {};
    };
    if (value.is_object()) {
        Fields fields(value, at);
        fields.require("jail");
        fields.read("jail", read_name);
        read_word(fields, "condition", dependency.condition,
                  {DependencyCondition::started, DependencyCondition::healthy});
        read_word(fields, "on_death", dependency.on_death, {OnDeath::ignore, OnDeath::restart});
        if (auto done = fields.done(); !done) return done;
    } else if (value.is_string()) {
        if (auto named = read_name(value, at); !named) return named;
    } else {
        return std::unexpected(wrong_type(at, "the name of a jail, or an object with it"));
    }
    all.push_back(std::move(dependency));
    return {};
}

json to_json(const Dependency& dependency) {
    if (dependency == Dependency(dependency.jail)) return dependency.jail;
    return {{"jail", dependency.jail},
            {"condition", to_string(dependency.condition)},
            {"on_death", to_string(dependency.on_death)}};
}

std::string named_in(const json& entry) {
    if (entry.is_string()) return entry.get<std::string>();
    return entry.is_object() ? entry.value("jail", std::string()) : std::string();
}

std::vector<std::string> names_of(const std::vector<Dependency>& dependencies) {
    std::vector<std::string> names;
    for (const auto& one : dependencies) names.push_back(one.jail);
    return names;
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
