#include <nlohmann/json.hpp>

#include "core/model/fields.h"
#include "core/model/jail_spec.h"
#include "core/model/template.h"

/// How one spec becomes another.
namespace jaild::model {

using nlohmann::json;

namespace {

/// Deeper than any spec; json::merge_patch recurses.
constexpr int kDepth = 16;

bool within_depth(const json& value, int left) {
    if (!value.is_structured()) return true;
    if (left == 0) return false;
    for (const auto& element : value)
        if (!within_depth(element, left - 1)) return false;
    return true;
}

/// The object at `key` of `value`; nullptr when there is none.
json* object_at(json& value, std::string_view key) {
    if (!value.is_object()) return nullptr;
    const auto found = value.find(key);
    return found != value.end() && found->is_object() ? &*found : nullptr;
}

/// A client that writes back what it read sends a secret without its value: it keeps the value that we have.
void fill_secrets(json& document, const Environment& current) {
    auto* exec = object_at(document, "exec");
    auto* env = exec != nullptr ? object_at(*exec, "env") : nullptr;
    if (env == nullptr) return;
    for (const auto& [name, value] : current) {
        auto* entry = object_at(*env, name);
        if (entry == nullptr || entry->contains("value")) continue;
        const auto secret = entry->find("secret");
        // Only a value that stays secret: {"secret": false} must not bring one to light.
        if (secret != entry->end() && *secret == true) (*entry)["value"] = value.value;
    }
}

/// The new spec; a jail is not moved to another version of its template by one that names none.
Result<JailSpec> parse_kept(const JailSpec& current, const json& document) {
    auto spec = parse_spec(document);
    if (spec) spec->template_name = keep_version(current.template_name, spec->template_name);
    return spec;
}

bool changes_mode_only(const json& patch) {
    const auto network = patch.find("network");
    return network != patch.end() && network->is_object() && network->contains("mode") &&
           !network->contains("interfaces");
}

bool raw_sockets(const Parameters& parameters) {
    const auto is = [&](const char* name, bool value) {
        const auto found = parameters.find(name);
        return found != parameters.end() && same_value(found->second, value);
    };
    return is("allow.raw_sockets", true) || is("allow.noraw_sockets", false);
}

}  // namespace

Result<JailSpec> merge_patch(const JailSpec& current, const json& patch) {
    if (!patch.is_object()) return std::unexpected(wrong_type("", "an object"));
    if (!within_depth(patch, kDepth))
        return std::unexpected(Error::invalid("too_deep", "", "no spec is nested so deep"));
    if (patch.contains("name"))
        return std::unexpected(Error::invalid("immutable_field", "/name", "a jail keeps its name"));
    auto document = to_json(current, Secrets::hide);
    const auto mode_before = document["network"]["mode"];
    document.merge_patch(patch);
    // The interfaces belong to the mode: another one starts from its own default.
    if (changes_mode_only(patch) && document["network"].value("mode", json()) != mode_before)
        document["network"].erase("interfaces");
    fill_secrets(document, current.exec.env);
    return parse_kept(current, document);
}

Result<JailSpec> replace(const JailSpec& current, const json& replacement) {
    auto document = replacement;
    fill_secrets(document, current.exec.env);
    return parse_kept(current, document);
}

namespace {

/// The argument list of that hook; empty: it has none.
std::vector<std::string> hook_of(const JailSpec& spec, Hook hook) {
    const auto found = spec.exec.hooks.find(hook);
    return found == spec.exec.hooks.end() ? std::vector<std::string>{} : found->second;
}

std::string pointer_of(Hook hook) {
    return "/exec/" + std::string(to_string(hook));
}

}  // namespace

std::optional<std::string> hook_changed(const JailSpec& from, const JailSpec& to) {
    for (const auto hook : kHooks)
        if (hook_of(from, hook) != hook_of(to, hook)) return pointer_of(hook);
    return std::nullopt;
}

std::optional<std::string> network_for_admins(const JailSpec& from, const JailSpec& to) {
    if (to.network.mode != NetworkMode::inherit && to.network.mode != NetworkMode::alias) return std::nullopt;
    if (from.network.mode != to.network.mode) return "network mode " + std::string(to_string(to.network.mode));
    if (from.network.interfaces != to.network.interfaces) return "addresses on the host's interfaces";
    // In a network stack of its own they are the jail's own affair.
    if (raw_sockets(to.parameters) && !raw_sockets(from.parameters)) return "raw sockets in the host's network stack";
    return std::nullopt;
}

bool addresses_are_live(const JailSpec& from, const JailSpec& to) {
    const auto family = [](const JailSpec& spec, const char* name) {
        const auto found = spec.parameters.find(name);
        return found == spec.parameters.end() ? std::nullopt : std::optional(found->second);
    };
    return from.network.mode == NetworkMode::alias && to.network.mode == NetworkMode::alias &&
           family(from, "ip4") == family(to, "ip4") && family(from, "ip6") == family(to, "ip6");
}

std::vector<std::string> restart_fields_changed(const JailSpec& from, const JailSpec& to) {
    std::vector<std::string> changed;
    const auto compare = [&](const char* field, const auto& before, const auto& after) {
        if (!(before == after)) changed.emplace_back(field);
    };
    compare("/network/mode", from.network.mode, to.network.mode);
    if (!addresses_are_live(from, to)) compare("/network/interfaces", from.network.interfaces, to.network.interfaces);
    compare("/network/nameservers", from.network.nameservers, to.network.nameservers);
    compare("/network/search", from.network.search, to.network.search);
    compare("/exec/start", from.exec.start, to.exec.start);
    for (const auto hook : kHooks)
        if (is_of_start(hook)) compare(pointer_of(hook).c_str(), hook_of(from, hook), hook_of(to, hook));
    compare("/exec/user", from.exec.user, to.exec.user);
    compare("/exec/directory", from.exec.directory, to.exec.directory);
    compare("/exec/env", from.exec.env, to.exec.env);
    compare("/command", from.command, to.command);
    compare("/mounts", running_mounts(from.mounts, to.mounts), to.mounts);
    compare("/devices", from.devices, to.devices);
    compare("/datasets", from.datasets, to.datasets);
    compare("/devfs_ruleset", from.devfs_ruleset, to.devfs_ruleset);
    for (auto& pointer : parameters_for_restart(from.parameters, to.parameters)) changed.push_back(std::move(pointer));
    return changed;
}

Result<void> check_immutable(const JailSpec& from, const JailSpec& to) {
    const auto refused = [](const char* field) {
        auto error = Error::invalid("immutable_field", field, "fixed when the jail is made");
        error.remedy = "make another jail";
        return std::unexpected(std::move(error));
    };
    if (from.template_name != to.template_name) return refused("/template");
    if (from.root.kind != to.root.kind || from.root.path != to.root.path) return refused("/root");
    return {};
}

}  // namespace jaild::model
