#include "core/model/jail_spec.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/ascii.h"
#include "core/model/cpus.h"
#include "core/model/datasets.h"
#include "core/model/dependencies.h"
#include "core/model/devices.h"
#include "core/model/fields.h"
#include "core/model/spec_parts.h"
#include "core/model/template.h"
#include "core/model/text_rules.h"

namespace jaild::model {

using nlohmann::json;

std::string_view to_string(RootKind kind) {
    switch (kind) {
        case RootKind::thin:
            return "thin";
        case RootKind::clone:
            return "clone";
        case RootKind::copy:
            return "copy";
        case RootKind::path:
            return "path";
    }
    return "thin";
}
std::string_view to_string(NetworkMode mode) {
    switch (mode) {
        case NetworkMode::vnet:
            return "vnet";
        case NetworkMode::alias:
            return "alias";
        case NetworkMode::inherit:
            return "inherit";
        case NetworkMode::none:
            return "none";
    }
    std::unreachable();
}
Error unsupported(std::string_view reason, std::string at, std::string detail, std::string remedy) {
    return Error{.code = Errc::unsupported,
                 .op = "validate",
                 .detail = std::move(detail),
                 .reason = reason,
                 .field = std::move(at),
                 .remedy = std::move(remedy)};
}

namespace {

/// Puts what `parse` answers into `target`.
template <class T, class F>
auto into(T& target, F parse) {
    return [&target, parse](const json& value, const std::string& at) -> Result<void> {
        auto parsed = parse(value, at);
        if (!parsed) return std::unexpected(std::move(parsed.error()));
        target = *std::move(parsed);
        return {};
    };
}

Result<RootKind> parse_root_kind(const json& value, const std::string& at) {
    const auto text = read_text(value, at, kWordBytes);
    if (!text) return std::unexpected(text.error());
    for (const auto kind : {RootKind::thin, RootKind::clone, RootKind::copy, RootKind::path})
        if (*text == to_string(kind)) return kind;
    return std::unexpected(Error::invalid("invalid_value", at,
                                          in_quotes(*text) + " is none of \"thin\", \"clone\", \"copy\" and \"path\""));
}

/// A whole number of bytes, or "10G". 1 MiB is less than any root has.
Result<Bytes> parse_storage_size(const json& value, const std::string& at) {
    constexpr std::uint64_t least = std::uint64_t{1} << 20;
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!value.is_number_unsigned() && !value.is_string())
        return std::unexpected(wrong_type(at, "a size like \"10G\", or a number of bytes"));
    auto size = value.is_string() ? Bytes::parse(value.get_ref<const std::string&>())
                                  : Result<Bytes>(Bytes{value.get<std::uint64_t>()});
    if (!size) {
        size.error().field = at;
        return size;
    }
    if (size->count >= least && size->count <= most) return size;
    return std::unexpected(Error::invalid("invalid_value", at, "at least 1M, and at most 8E less one byte"));
}

/// zfsprops(7), "compression". Two of them have two names, of which zfs-get(8) knows one.
Result<std::string> parse_compression(const json& value, const std::string& at) {
    auto text = read_text(value, at, kWordBytes);
    if (!text) return text;
    static const std::set<std::string, std::less<>> known = [] {
        std::set<std::string, std::less<>> all{"on", "off", "lzjb", "zle", "lz4", "gzip", "zstd", "zstd-fast"};
        for (int level = 1; level <= 9; ++level) all.insert("gzip-" + std::to_string(level));
        for (int level = 1; level <= 19; ++level) all.insert("zstd-" + std::to_string(level));
        for (int level = 1; level <= 10; ++level) all.insert("zstd-fast-" + std::to_string(level));
        for (int level = 20; level <= 100; level += 10) all.insert("zstd-fast-" + std::to_string(level));
        for (int level : {500, 1000}) all.insert("zstd-fast-" + std::to_string(level));
        return all;
    }();
    if (*text == "gzip-6") return "gzip";
    if (*text == "zstd-fast-1") return "zstd-fast";
    if (known.contains(*text)) return text;
    auto error = Error::invalid("invalid_value", at, in_quotes(*text) + " is no compression of zfsprops(7)");
    error.remedy = "\"lz4\", \"zstd\", \"zstd-9\", \"gzip-9\", \"on\", \"off\" …";
    return std::unexpected(std::move(error));
}

Result<RootSpec> parse_root(const json& value, const std::string& at) {
    RootSpec root;
    Fields fields(value, at);
    fields.read("kind", [&](const json& kind, const std::string& where) -> Result<void> {
        const auto parsed = parse_root_kind(kind, where);
        if (!parsed) return std::unexpected(parsed.error());
        root.kind = *parsed;
        return {};
    });
    fields.text("path", root.path, SpecLimits::path_bytes);
    if (root.kind == RootKind::path) {
        fields.require("path");
        if (auto good = check_path(root.path, RootPath::refused, fields.at("path")); !good) fields.fail(good.error());
    } else if (!root.path.empty()) {
        fields.fail(Error::invalid("path_without_path_root", fields.at("path"), "only root kind \"path\" has a path"));
    }
    auto& storage = root.storage;
    fields.read("quota", into(storage.quota, parse_storage_size));
    fields.read("reservation", into(storage.reservation, parse_storage_size));
    fields.read("compression", into(storage.compression, parse_compression));
    if (storage.quota.count != 0 && storage.reservation > storage.quota)
        fields.fail(Error::invalid("reservation_above_quota", fields.at("reservation"),
                                   "more is to be kept for the root than it may have"));
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return root;
}

/// A thin root comes from a template, by default from the host's; a path root from none.
void read_template(Fields& fields, JailSpec& spec) {
    if (spec.root.kind == RootKind::path) {
        spec.template_name.clear();
        fields.text("template", spec.template_name, TemplateRef::kMaxLength);
        if (!spec.template_name.empty())
            fields.fail(Error::invalid("template_with_path_root", fields.at("template"),
                                       "a root of kind \"path\" is not made from a template"));
        return;
    }
    fields.read("template", [&](const json& value, const std::string& at) -> Result<void> {
        if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
        const auto reference = TemplateRef::parse(value.get_ref<const std::string&>(), at);
        if (!reference) return std::unexpected(reference.error());
        spec.template_name = reference->text();
        return {};
    });
}

bool has_family(const NetworkSpec& network, Family family) {
    return std::ranges::any_of(network.interfaces, [&](const InterfaceSpec& one) {
        return std::ranges::any_of(one.addresses,
                                   [&](const Prefix& prefix) { return prefix.address.family == family; });
    });
}

/// `ip4` and `ip6` of jail(8): how a jail in the host's network stack has a family. What they say must not contradict
/// the network.
Result<void> check_families(const JailSpec& spec, const std::string& at) {
    for (const auto& [name, family] : {std::pair("ip4", Family::ipv4), std::pair("ip6", Family::ipv6)}) {
        const auto found = spec.parameters.find(name);
        if (found == spec.parameters.end()) continue;
        const auto refused = [&](std::string detail) {
            return std::unexpected(Error::invalid("invalid_value", pointer(at, name), std::move(detail)));
        };
        const auto* how = std::get_if<std::string>(&found->second);
        if (how == nullptr || (*how != "inherit" && *how != "disable" && *how != "new"))
            return refused(R"(must be "inherit", "disable" or "new")");
        const bool alias = spec.network.mode == NetworkMode::alias;
        if (!alias && spec.network.mode != NetworkMode::inherit)
            return refused("a jail with its own network stack has no address restrictions");
        if (!alias && *how == "new") return refused("use network mode alias for addresses of the jail's own");
        if (alias && *how != "new" && has_family(spec.network, family))
            return refused("the jail has addresses of this family: leave it out");
    }
    return {};
}

/// Published ports and policies know a jail by its addresses.
Result<void> check_learned(const JailSpec& spec, const std::string& at) {
    for (const auto& interface : spec.network.interfaces) {
        if (!interface.learns_any()) continue;
        const std::string_view asked = interface.dhcp ? R"("ipv4": "dhcp")" : R"("ipv6": "slaac")";
        auto error = Error::invalid(
            "learned_address", at,
            "rules are by a jail's address, and with " + std::string(asked) + " nobody knows it beforehand");
        error.remedy = "leave that out of its interfaces, so that they have addresses of their networks";
        return std::unexpected(std::move(error));
    }
    return {};
}

void read_spec(Fields& fields, JailSpec& spec) {
    fields.boolean("running", spec.running);
    fields.read("root", into(spec.root, parse_root));
    read_template(fields, spec);
    fields.text("hostname", spec.hostname, SpecLimits::hostname_bytes);
    if (!spec.hostname.empty())
        if (auto good = check_hostname(spec.hostname, fields.at("hostname")); !good) fields.fail(good.error());
    fields.read("network", into(spec.network, parse_network));
    fields.read("publish", into(spec.publish, parse_publish));
    if (!spec.publish.empty() && spec.network.mode != NetworkMode::vnet)
        fields.fail(Error::invalid("invalid_value", fields.at("publish"),
                                   "only a jail with its own network stack can publish ports"));
    fields.read("firewall", into(spec.firewall, parse_firewall));
    const bool shared = spec.network.mode == NetworkMode::inherit || spec.network.mode == NetworkMode::alias;
    if (!spec.firewall.empty() && shared)
        fields.fail(Error::invalid("invalid_value", fields.at("firewall"),
                                   "a jail that shares the host's network stack has no packet filter of its own"));
    if (!spec.publish.empty() || !spec.firewall.empty())
        if (auto good = check_learned(spec, fields.at(spec.publish.empty() ? "firewall" : "publish")); !good)
            fields.fail(good.error());
    fields.read("limits", into(spec.limits, parse_limits));
    fields.read("cpuset", into(spec.cpuset, parse_cpuset));
    fields.read("mounts", into(spec.mounts, parse_mounts));
    fields.entries("snapshots", 4, [&](const std::string& key, const json& value, const std::string& at) {
        return parse_series(key, value, at, spec.snapshots);
    });
    if (!spec.snapshots.empty() && spec.root.kind == RootKind::path)
        fields.fail(Error::invalid("invalid_value", fields.at("snapshots"),
                                   "the directory of a path root is your own: jaild takes no snapshots of it"));
    fields.read("devices", into(spec.devices, parse_devices));
    fields.read("devfs_ruleset", into(spec.devfs_ruleset, parse_devfs_ruleset));
    fields.read("datasets", into(spec.datasets, parse_datasets));
    fields.read("parameters", into(spec.parameters, parse_parameters));
    if (auto good = check_families(spec, fields.at("parameters")); !good) fields.fail(good.error());
    fields.read("exec", into(spec.exec, parse_exec));
    fields.read("command", into(spec.command, parse_argv));
    fields.read("restart", into(spec.restart, parse_restart));
    fields.read("priority", into(spec.priority, parse_priority));
    fields.read("health", [&](const json& value, const std::string& at) -> Result<void> {
        if (value.is_null()) return {};
        auto health = parse_health(value, at);
        if (!health) return std::unexpected(std::move(health.error()));
        spec.health = *std::move(health);
        return {};
    });
    fields.each("depends_on", SpecLimits::depends_on,
                [&](const json& value, const std::string& at) { return parse_dependency(value, at, spec.depends_on); });
    fields.read("ephemeral", into(spec.ephemeral, parse_ephemeral));
    fields.read("ttl", into(spec.ttl, parse_ttl));
    fields.entries("labels", SpecLimits::labels, [&](const std::string& key, const json& value, const std::string& at) {
        return parse_label(key, value, at, spec.labels);
    });
}

}  // namespace

Result<unsigned> parse_priority(const json& value, const std::string& at) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() <= SpecLimits::priority) return value.get<unsigned>();
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "a whole number"));
    return std::unexpected(Error::invalid("invalid_value", at,
                                          "from 0, begun first at a boot, to " + std::to_string(SpecLimits::priority)));
}

Result<void> parse_label(const std::string& key, const json& value, const std::string& at,
                         std::map<std::string, std::string>& labels) {
    if (auto good = check_text(key, SpecLimits::label_bytes, at); !good) return good;
    if (auto good = check_label_key(key, at); !good) return good;
    auto text = read_text(value, at, SpecLimits::label_bytes);
    if (!text) return std::unexpected(text.error());
    labels.emplace(key, *std::move(text));
    return {};
}

Result<void> parse_series(const std::string& key, const json& value, const std::string& at,
                          std::map<std::string, unsigned>& series) {
    constexpr std::array<std::string_view, 4> known{"hourly", "daily", "weekly", "monthly"};
    if (std::ranges::find(known, key) == known.end())
        return std::unexpected(Error::invalid("unknown_field", at,
                                              "a series of snapshots is hourly, daily, weekly or "
                                              "monthly"));
    if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "an integer"));
    const auto kept = value.get<std::int64_t>();
    if (kept < 1 || kept > SpecLimits::snapshots)
        return std::unexpected(Error::invalid("invalid_value", at, "1 to 200 snapshots of a series are kept"));
    series.emplace(key, static_cast<unsigned>(kept));
    return {};
}

Result<JailSpec> parse_spec(const json& object) {
    JailSpec spec;
    Fields fields(object, "");
    read_spec(fields, spec);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return spec;
}

Result<NamedSpec> parse_named_spec(const json& object) {
    JailSpec spec;
    std::optional<Name> name;
    Fields fields(object, "");
    fields.require("name");
    fields.read("name", [&](const json& value, const std::string& at) -> Result<void> {
        if (!value.is_string()) return std::unexpected(wrong_type(at, "a string"));
        auto parsed = Name::parse(value.get_ref<const std::string&>(), at);
        if (!parsed) return std::unexpected(parsed.error());
        name = *std::move(parsed);
        return {};
    });
    read_spec(fields, spec);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return NamedSpec{.name = *std::move(name), .spec = std::move(spec)};
}

json to_json(const RootSpec& root) {
    json object{{"kind", to_string(root.kind)}};
    if (root.kind == RootKind::path) object["path"] = root.path;
    const auto& [quota, reservation, compression] = root.storage;
    if (quota.count != 0) object["quota"] = quota.to_string();
    if (reservation.count != 0) object["reservation"] = reservation.to_string();
    if (!compression.empty()) object["compression"] = compression;
    return object;
}

json to_json(const JailSpec& spec, Secrets secrets) {
    json document{{"running", spec.running},
                  {"template", spec.template_name},
                  {"root", to_json(spec.root)},
                  {"hostname", spec.hostname},
                  {"network", to_json(spec.network)},
                  {"publish", to_json(spec.publish)},
                  {"firewall", to_json(spec.firewall)},
                  {"limits", to_json(spec.limits)},
                  {"cpuset", spec.cpuset},
                  {"mounts", to_json(spec.mounts)},
                  {"snapshots", spec.snapshots},
                  {"devices", spec.devices},
                  {"datasets", spec.datasets},
                  {"parameters", to_json(spec.parameters)},
                  {"exec", to_json(spec.exec, secrets)},
                  {"command", spec.command},
                  {"restart", to_json(spec.restart)},
                  {"priority", spec.priority},
                  {"health", spec.health ? to_json(*spec.health) : json()},
                  {"depends_on", json::array()},
                  {"ephemeral", to_json(spec.ephemeral)},
                  {"ttl", ttl_to_json(spec.ttl)},
                  {"labels", spec.labels}};
    for (const auto& one : spec.depends_on) document["depends_on"].push_back(to_json(one));
    if (spec.devfs_ruleset) document["devfs_ruleset"] = *spec.devfs_ruleset;
    return document;
}

}  // namespace jaild::model
