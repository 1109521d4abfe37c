#include "core/model/template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/ascii.h"
#include "core/base/sha256.h"
#include "core/model/fields.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::string_view kHost = "host";
constexpr std::string_view kLatest = "latest";

Result<void> check_version(std::string_view version, std::string_view field) {
    const auto refused = [&](const char* why) {
        return std::unexpected(Error::invalid("invalid_version", std::string(field), why));
    };
    if (version.empty()) return refused("a version is not empty");
    if (version.size() > TemplateRef::kMaxVersion) return refused("a version has at most 63 characters");
    if (!is_alphanumeric(version.front())) return refused("a version begins with a letter or a digit");
    const auto fits = [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '+' || c == '-'; };
    if (!std::ranges::all_of(version, fits))
        return refused("a version holds letters, digits, \".\", \"_\", \"+\" and \"-\" only");
    return {};
}

Result<void> read_checksum(const json& value, const std::string& at, std::string& target) {
    auto text = read_text(value, at, 64);
    if (!text) return std::unexpected(text.error());
    if (!digest_from_hex(*text))
        return std::unexpected(Error::invalid("invalid_checksum", at, "a SHA-256 has 64 hexadecimal digits"));
    target = to_lower(*text);
    return {};
}

Result<void> read_path(const json& value, const std::string& at, RootPath root, std::string& target) {
    auto text = read_text(value, at, TemplateLimits::path_bytes);
    if (!text) return std::unexpected(text.error());
    if (auto good = check_path(*text, root, at); !good) return good;
    target = *std::move(text);
    return {};
}

/// Characters that a URL has (RFC 3986), no user, no password: a template says where it is from.
Result<void> read_url(const json& value, const std::string& at, std::string& target) {
    auto text = read_text(value, at, TemplateLimits::url_bytes);
    if (!text) return std::unexpected(text.error());
    const auto refused = [&](const char* why) { return std::unexpected(Error::invalid("invalid_url", at, why)); };
    std::string_view rest = *text;
    if (rest.starts_with("http://"))
        rest.remove_prefix(7);
    else if (rest.starts_with("https://"))
        rest.remove_prefix(8);
    else
        return refused("a URL begins with http:// or https://");
    const auto fits = [](char c) { return c > ' ' && c < '\x7f' && !std::string_view("\"<>\\^`{|}#").contains(c); };
    if (!std::ranges::all_of(rest, fits))
        return refused("a URL has no such character, nor a fragment; %XX stands for it");
    const auto host = rest.substr(0, rest.find_first_of("/?"));
    if (host.contains('@')) return refused("a URL here has no user and no password");
    if (host.empty() || host.starts_with(':')) return refused("a URL names a host");
    target = *std::move(text);
    return {};
}

Result<SetSource> parse_set(const json& value, const std::string& at) {
    SetSource set;
    Fields fields(value, at);
    const bool both = fields.has("file") && fields.has("url");
    if (both) fields.fail(Error::invalid("invalid_value", fields.at("url"), "an archive is a file or a URL, not both"));
    if (!fields.has("url")) fields.require("file");
    fields.read("url", [&](const json& url, const std::string& where) { return read_url(url, where, set.url); });
    fields.read("file", [&](const json& path, const std::string& where) {
        return read_path(path, where, RootPath::refused, set.file);
    });
    fields.read("sha256",
                [&](const json& sum, const std::string& where) { return read_checksum(sum, where, set.sha256); });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return set;
}

Result<void> read_name(const json& value, const std::string& at, Name& target) {
    if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
    auto name = Name::parse(value.get_ref<const std::string&>(), at);
    if (!name) return std::unexpected(name.error());
    if (name->key() == kHost)
        return std::unexpected(Error::invalid("name_reserved", at, "\"host\" is the template that is built in"));
    target = *std::move(name);
    return {};
}

Result<void> read_version(const json& value, const std::string& at, std::string& target) {
    auto text = read_text(value, at, TemplateRef::kMaxVersion);
    if (!text) return std::unexpected(text.error());
    if (auto good = check_version(*text, at); !good) return good;
    if (to_lower(*text) == kLatest)
        return std::unexpected(Error::invalid("invalid_version", at, "\"latest\" points to the version made last"));
    target = *std::move(text);
    return {};
}

/// What is said of a template whatever it is made of.
void read_description(Fields& fields, TemplateRequest& request) {
    fields.require("name");
    fields.read("name", [&](const json& value, const std::string& at) { return read_name(value, at, request.name); });
    fields.read("version",
                [&](const json& value, const std::string& at) { return read_version(value, at, request.version); });
    fields.text("description", request.description, TemplateLimits::description_bytes);
    fields.each("private", TemplateLimits::private_parts, [&](const json& value, const std::string& at) {
        std::string part;
        auto read = read_path(value, at, RootPath::refused, part);
        if (read) request.private_parts.push_back(std::move(part));
        return read;
    });
}

/// Exactly one of "sets", "jail" and "directory".
void read_source(Fields& fields, TemplateRequest& request) {
    fields.each("sets", TemplateLimits::sets, [&](const json& value, const std::string& at) -> Result<void> {
        auto set = parse_set(value, at);
        if (!set) return std::unexpected(set.error());
        request.sets.push_back(*std::move(set));
        return {};
    });
    fields.read("manifest", [&](const json& value, const std::string& at) -> Result<void> {
        if (auto read = read_url(value, at, request.manifest); !read) return read;
        const bool twice = std::ranges::any_of(request.sets, [](const auto& set) { return !set.sha256.empty(); });
        if (twice || request.sets.empty())
            return std::unexpected(Error::invalid(
                "invalid_value", at, "a MANIFEST has the checksums of all archives, none of which has its own"));
        return {};
    });
    fields.read("jail", [&](const json& value, const std::string& at) -> Result<void> {
        if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
        auto name = Name::parse(value.get_ref<const std::string&>(), at);
        if (!name) return std::unexpected(name.error());
        request.jail = *std::move(name);
        return {};
    });
    fields.read("directory", [&](const json& value, const std::string& at) {
        return read_path(value, at, RootPath::refused, request.directory);
    });
    const std::string_view second = fields.has("directory") ? "directory" : "jail";
    if (fields.has("sets") + fields.has("jail") + fields.has("directory") > 1)
        fields.fail(Error::invalid("invalid_value", fields.at(second),
                                   "a template is made of one thing: \"sets\", \"jail\" or \"directory\""));
    if (request.sets.empty() && !fields.has("jail") && !fields.has("directory"))
        fields.fail(Error::invalid("missing_field", fields.at("sets"),
                                   "what it is made of is missing: \"sets\", \"jail\" or \"directory\""));
}

std::string last_part(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

Result<TemplateRef> TemplateRef::make(std::string_view name, std::string_view version, std::string_view field) {
    auto parsed = Name::parse(name, field);
    if (!parsed) return std::unexpected(parsed.error());
    if (parsed->key() == kHost) {
        if (!version.empty())
            return std::unexpected(Error::invalid("invalid_version", std::string(field),
                                                  "the template \"host\" has no versions: it is the host as it is"));
        return TemplateRef(*Name::parse(kHost), {});
    }
    return TemplateRef(*std::move(parsed), to_lower(version) == kLatest ? std::string() : std::string(version));
}

Result<TemplateRef> TemplateRef::parse(std::string_view text, std::string_view field) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return make(text, {}, field);
    const auto version = text.substr(colon + 1);
    if (auto good = check_version(version, field); !good) return std::unexpected(good.error());
    return make(text.substr(0, colon), version, field);
}

std::string TemplateRef::text() const {
    return version_.empty() ? name_.text() : name_.text() + ":" + version_;
}

std::string keep_version(const std::string& current, const std::string& wanted) {
    const auto has = TemplateRef::parse(current);
    const auto asked = TemplateRef::parse(wanted);
    if (!has || !asked || has->name().key() != asked->name().key()) return wanted;
    const bool same = asked->latest() || to_lower(asked->version()) == to_lower(has->version());
    return same ? current : wanted;
}

std::string_view to_string(TemplateState state) {
    switch (state) {
        case TemplateState::importing:
            return "importing";
        case TemplateState::ready:
            return "ready";
        case TemplateState::removing:
            return "removing";
    }
    return "unknown";
}

std::string Template::reference() const {
    return version.empty() ? name.text() : name.text() + ":" + version;
}

Template host_template() {
    return {.id = {},
            .name = *Name::parse(kHost),
            .version = {},
            .description = "the running host's own userland, read-only; live, not versioned",
            .source = {},
            .private_parts = {},
            .sets = {},
            .created_at = {}};
}

json to_json(const Template& value, const std::vector<std::string>& jails, const std::vector<std::string>& snapshots) {
    json sets = json::array();
    for (const auto& set : value.sets)
        sets.push_back({{"name", set.name}, {"sha256", set.sha256}, {"bytes", set.bytes}});
    const bool builtin = value.builtin();
    return {{"name", value.name.text()},
            {"version", builtin ? json() : json(value.version)},
            {"reference", value.reference()},
            {"builtin", builtin},
            {"latest", value.latest},
            {"state", to_string(value.state)},
            {"description", value.description},
            {"source", builtin ? json() : json(value.source)},
            {"private", value.private_parts},
            {"sets", std::move(sets)},
            {"bytes", builtin ? json() : json(value.bytes)},
            {"entries", builtin ? json() : json(value.entries)},
            {"jails", jails},
            {"snapshots", snapshots},
            {"created_at", builtin ? json() : json(value.created_at.to_string())}};
}

std::string SetSource::name() const {
    if (uploaded) return "upload";
    if (url.empty()) return last_part(file);
    const auto last = last_part(place());
    return last.empty() ? "archive" : last;
}

std::string SetSource::place() const {
    if (uploaded) return "the uploaded archive";
    return url.empty() ? file : url.substr(0, url.find('?'));
}

std::string TemplateRequest::source() const {
    if (jail) return "jail " + jail->text();
    if (!directory.empty()) return directory;
    std::string text;
    for (const auto& set : sets) text += (text.empty() ? "" : ", ") + set.place();
    return text;
}

Result<TemplateRequest> parse_template_request(const json& object) {
    TemplateRequest request{.name = *Name::parse("unnamed")};
    Fields fields(object, "");
    read_description(fields, request);
    read_source(fields, request);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return request;
}

Result<TemplateRequest> parse_template_upload(const json& object) {
    TemplateRequest request{.name = *Name::parse("unnamed")};
    SetSource set{.uploaded = true};
    Fields fields(object, "");
    read_description(fields, request);
    fields.read("sha256", [&](const json& sum, const std::string& at) { return read_checksum(sum, at, set.sha256); });
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    request.sets.push_back(std::move(set));
    return request;
}

Result<TemplateUpdate> parse_template_update(const json& object) {
    TemplateUpdate update;
    Fields fields(object, "");
    fields.read("version",
                [&](const json& value, const std::string& at) { return read_version(value, at, update.version); });
    fields.text("description", update.description, TemplateLimits::description_bytes);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return update;
}

}  // namespace jaild::model
