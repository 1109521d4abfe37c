#include "core/model/pool.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/model/fields.h"

namespace jaild::model {

using nlohmann::json;

namespace {

constexpr std::string_view kJail = "jail";

Error not_for_pools(std::string field, std::string detail) {
    return Error::invalid("not_for_pools", std::move(field), std::move(detail));
}

/// What only one jail can have, and what a jail that waits for its user does not have yet.
Result<void> check_for_pool(const JailSpec& spec, const std::string& at) {
    const auto refused = [&](std::string_view field, std::string_view why) {
        return std::unexpected(not_for_pools(pointer(at, field), std::string(why)));
    };
    if (!spec.running) return refused("running", "jails of a pool run");
    if (!spec.command.empty()) return refused("command", "whoever takes a jail runs a program in it");
    if (spec.root.kind == RootKind::path) return refused("root", "no two jails can have the same directory");
    if (!spec.publish.empty()) return refused("publish", "no two jails can have the same port");
    if (!spec.datasets.empty()) return refused("datasets", "no two jails can have the same dataset");
    if (spec.network.mode == NetworkMode::alias) return refused("network", "no two jails can have the same address");
    const auto own = [](const InterfaceSpec& one) { return !one.addresses.empty() || !one.mac.empty(); };
    if (std::ranges::any_of(spec.network.interfaces, own))
        return refused("network", "no two jails can have the same address");
    return {};
}

Result<JailSpec> parse_jail(const json& value, const std::string& at) {
    auto document = value;
    if (document.is_object() && !document.contains("ephemeral")) document["ephemeral"] = true;
    auto spec = parse_spec(document);
    if (!spec) {
        spec.error().field = at + spec.error().field;
        return spec;
    }
    if (auto good = check_for_pool(*spec, at); !good) return std::unexpected(good.error());
    if (!spec->ephemeral)
        return std::unexpected(not_for_pools(pointer(at, "ephemeral"), "jails of a pool are used once, and go then"));
    return spec;
}

void read_pool(Fields& fields, PoolSpec& pool) {
    pool.jail.ephemeral = EphemeralSpec{};
    fields.read("size", [&](const json& value, const std::string& at) -> Result<void> {
        if (!value.is_number_integer()) return std::unexpected(wrong_type(at, "an integer"));
        const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{PoolLimits::jails};
        const auto size = huge ? -1 : value.get<std::int64_t>();
        if (size < 0 || size > PoolLimits::jails)
            return std::unexpected(
                Error::invalid("invalid_value", at, "from 0 to " + std::to_string(PoolLimits::jails) + " jails"));
        pool.size = static_cast<unsigned>(size);
        return {};
    });
    fields.read(kJail, [&](const json& value, const std::string& at) -> Result<void> {
        auto spec = parse_jail(value, at);
        if (!spec) return std::unexpected(spec.error());
        pool.jail = *std::move(spec);
        return {};
    });
}

}  // namespace

Result<NamedPoolSpec> parse_pool(const json& value) {
    std::optional<Name> name;
    PoolSpec pool;
    Fields fields(value, "");
    fields.require("name");
    fields.read("name", [&](const json& given, const std::string& at) -> Result<void> {
        if (!given.is_string()) return std::unexpected(wrong_type(at, "a string"));
        auto parsed = Name::parse(given.get_ref<const std::string&>(), at);
        if (!parsed) return std::unexpected(parsed.error());
        name = *std::move(parsed);
        return {};
    });
    read_pool(fields, pool);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return NamedPoolSpec{.name = *std::move(name), .spec = std::move(pool)};
}

Result<PoolSpec> parse_pool_spec(const json& value) {
    PoolSpec pool;
    Fields fields(value, "");
    read_pool(fields, pool);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    return pool;
}

Result<PoolSpec> patch_pool(const PoolSpec& current, const json& patch) {
    if (!patch.is_object()) return std::unexpected(wrong_type("", "an object"));
    if (patch.contains("name"))
        return std::unexpected(Error::invalid("immutable_field", "/name", "a pool keeps its name"));
    auto pool = current;
    auto rest = patch;
    if (const auto jail = rest.find(kJail); jail != rest.end()) {
        auto merged = merge_patch(current.jail, *jail);
        if (!merged) {
            merged.error().field = "/jail" + merged.error().field;
            return std::unexpected(merged.error());
        }
        // As it would be read of a client: what a pool's jail cannot have is refused.
        auto checked = parse_jail(to_json(*merged, Secrets::keep), "/jail");
        if (!checked) return std::unexpected(checked.error());
        pool.jail = *std::move(checked);
        rest.erase(jail);
    }
    PoolSpec read = pool;
    Fields fields(rest, "");
    read_pool(fields, read);
    if (auto done = fields.done(); !done) return std::unexpected(done.error());
    pool.size = rest.contains("size") ? read.size : current.size;
    return pool;
}

json to_json(const PoolSpec& spec, Secrets secrets) {
    return {{"size", spec.size}, {"jail", to_json(spec.jail, secrets)}};
}

json to_json(const Pool& pool, const PoolStatus& status) {
    auto object = to_json(pool.spec, Secrets::hide);
    object["name"] = pool.name.text();
    object["generation"] = pool.generation;
    object["created_at"] = pool.created_at.to_string();
    object["status"] = {{"ready", status.ready},
                        {"coming", status.coming},
                        {"failure", status.failure.empty() ? json() : json(status.failure)},
                        {"next_try", status.next_try ? json(status.next_try->to_string()) : json()}};
    return object;
}

std::string etag(const Pool& pool) {
    return "\"p" + std::to_string(pool.id.value) + "." + std::to_string(pool.generation) + "\"";
}

}  // namespace jaild::model
