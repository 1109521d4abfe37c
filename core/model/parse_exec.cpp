#include <nlohmann/json.hpp>

#include "core/model/fields.h"
#include "core/model/spec_parts.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

namespace {

Result<EnvValue> parse_env_value(const json& value, const std::string& at) {
    EnvValue result;
    if (!value.is_object()) {
        auto text = read_program_text(value, at, SpecLimits::env_value_bytes);
        if (!text && !value.is_string())
            return std::unexpected(wrong_type(at, "a string or {\"value\": string, \"secret\": boolean}"));
        if (!text) return std::unexpected(text.error());
        result.value = *std::move(text);
        return result;
    }
    Fields fields(value, at);
    fields.program_text("value", result.value, SpecLimits::env_value_bytes);
    fields.boolean("secret", result.secret);
    fields.require("value");
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return result;
}

Result<void> parse_env_entry(const std::string& name, const json& value, const std::string& at, Environment& env) {
    if (auto good = check_text(name, SpecLimits::env_name_bytes, at); !good) return good;
    if (auto good = check_env_name(name, at); !good) return good;
    auto parsed = parse_env_value(value, at);
    if (!parsed) return std::unexpected(parsed.error());
    env.emplace(name, *std::move(parsed));
    return {};
}

auto argv_into(std::vector<std::string>& target) {
    return [&target](const json& value, const std::string& at) -> Result<void> {
        auto argv = parse_argv(value, at);
        if (!argv) return std::unexpected(argv.error());
        target = *std::move(argv);
        return {};
    };
}

/// A hook's program is looked for where the host keeps its own, or is told by its whole path: there is no directory
/// that a relative one would begin in.
Result<void> parse_hook(Hook hook, const json& value, const std::string& at, Hooks& hooks) {
    auto argv = parse_argv(value, at);
    if (!argv) return std::unexpected(argv.error());
    if (argv->empty()) return {};
    const auto& program = argv->front();
    if (program.contains('/') && !program.starts_with('/'))
        return std::unexpected(
            Error::invalid("invalid_value", pointer(at, std::size_t{0}), "a path of the host's is absolute"));
    hooks[hook] = *std::move(argv);
    return {};
}

}  // namespace

Result<Milliseconds> parse_timeout(const json& value, const std::string& at) {
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "a whole number of seconds"));
    const bool huge = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() > static_cast<std::uint64_t>(SpecLimits::timeout_seconds);
    const auto seconds = huge ? SpecLimits::timeout_seconds + 1 : value.get<std::int64_t>();
    if (seconds < 1 || seconds > SpecLimits::timeout_seconds)
        return std::unexpected(Error::invalid("invalid_value", at,
                                              "from 1 to " + std::to_string(SpecLimits::timeout_seconds) + " seconds"));
    return std::chrono::seconds(seconds);
}

Result<std::vector<std::string>> parse_argv(const json& value, const std::string& at) {
    if (!value.is_array()) return std::unexpected(wrong_type(at, "an array of strings"));
    if (value.size() > SpecLimits::argv_elements) return std::unexpected(too_many(at, SpecLimits::argv_elements));
    std::vector<std::string> argv;
    std::size_t bytes = 0;
    for (const auto& element : value) {
        const auto where = pointer(at, argv.size());
        auto text = read_program_text(element, where, SpecLimits::argv_bytes);
        if (!text) return std::unexpected(text.error());
        bytes += text->size();
        if (bytes > SpecLimits::argv_bytes)
            return std::unexpected(Error::invalid(
                "too_long", at, "longer than " + std::to_string(SpecLimits::argv_bytes) + " bytes in all"));
        argv.push_back(*std::move(text));
    }
    if (!argv.empty() && argv.front().empty())
        return std::unexpected(
            Error::invalid("invalid_value", pointer(at, std::size_t{0}), "the program's name is empty"));
    return argv;
}

Result<ExecSpec> parse_exec(const json& value, const std::string& at) {
    ExecSpec exec;
    Fields fields(value, at);
    fields.read("start", argv_into(exec.start));
    fields.read("stop", argv_into(exec.stop));
    for (const auto hook : kHooks)
        fields.read(to_string(hook), [&exec, hook](const json& argv, const std::string& where) {
            return parse_hook(hook, argv, where, exec.hooks);
        });
    fields.read("timeout", [&](const json& timeout, const std::string& where) -> Result<void> {
        const auto parsed = parse_timeout(timeout, where);
        if (!parsed) return std::unexpected(parsed.error());
        exec.timeout = *parsed;
        return {};
    });
    fields.text("user", exec.user, SpecLimits::user_bytes);
    if (auto good = check_user(exec.user, fields.at("user")); !good) fields.fail(good.error());
    fields.text("directory", exec.directory, SpecLimits::path_bytes);
    if (auto good = check_path(exec.directory, RootPath::allowed, fields.at("directory")); !good)
        fields.fail(good.error());
    fields.entries("env", SpecLimits::env_entries,
                   [&](const std::string& name, const json& entry, const std::string& where) {
                       return parse_env_entry(name, entry, where, exec.env);
                   });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return exec;
}

json to_json(const ExecSpec& exec, Secrets secrets) {
    json env = json::object();
    for (const auto& [name, value] : exec.env) {
        if (!value.secret) {
            env[name] = value.value;
        } else if (secrets == Secrets::keep) {
            env[name] = {{"secret", true}, {"value", value.value}};
        } else {
            env[name] = {{"secret", true}};
        }
    }
    json made{{"start", exec.start},
              {"stop", exec.stop},
              {"timeout", std::chrono::duration_cast<std::chrono::seconds>(exec.timeout).count()},
              {"user", exec.user},
              {"directory", exec.directory},
              {"env", std::move(env)}};
    for (const auto hook : kHooks) {
        const auto argv = exec.hooks.find(hook);
        made[std::string(to_string(hook))] = argv == exec.hooks.end() ? std::vector<std::string>{} : argv->second;
    }
    return made;
}

}  // namespace jaild::model
