#include "core/store/pools.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/store/sqlite_error.h"

namespace jaild::store::pools {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kSelect = "SELECT id, name, spec, generation, jail_generation, created_at FROM jail_pools ";

Result<model::Pool> from_row(const Statement& row) {
    auto name = model::Name::parse(row.text(1));
    auto spec = model::parse_pool_spec(Json::parse(row.text(2), nullptr, false));
    if (!name || !spec)
        return std::unexpected(corrupt("read_pool", fmt::format("the row of pool {} is damaged", row.integer(0))));
    return model::Pool{.id = PoolId{row.integer(0)},
                       .name = *std::move(name),
                       .spec = *std::move(spec),
                       .generation = row.integer(3),
                       .jail_generation = row.integer(4),
                       .created_at = UtcTime{row.integer(5)}};
}

Result<std::string> spec_text(const model::PoolSpec& spec) {
    try {
        return model::to_json(spec, model::Secrets::keep).dump();
    } catch (const Json::exception&) {  // dump() throws on invalid UTF-8
        return std::unexpected(Error::invalid("invalid_utf8", "", "a text in the spec is not valid UTF-8"));
    }
}

Result<model::Pool> found(Result<std::optional<model::Pool>> row, const std::string& what) {
    if (!row) return std::unexpected(row.error());
    if (*row) return **std::move(row);
    return std::unexpected(Error{.code = Errc::not_found,
                                 .op = "find_pool",
                                 .detail = "there is no pool " + what,
                                 .reason = "pool_not_found",
                                 .remedy = "`jaildctl pool ls` lists all pools"});
}

Result<model::Pool> find(Connection& connection, PoolId id) {
    return found(first_row<model::Pool>(connection.prepare(std::string(kSelect) + "WHERE id = ?1", id.value), from_row),
                 std::to_string(id.value));
}

}  // namespace

Result<std::vector<model::Pool>> all(Connection& connection) {
    return all_rows<model::Pool>(connection.prepare(std::string(kSelect) + "ORDER BY id"), from_row);
}

Result<model::Pool> find(Connection& connection, const model::Name& name) {
    return found(
        first_row<model::Pool>(connection.prepare(std::string(kSelect) + "WHERE name = ?1", name.text()), from_row),
        "\"" + name.text() + "\"");
}

Result<model::Pool> insert(Connection& connection, const model::NamedPoolSpec& pool, UtcTime now) {
    if (find(connection, pool.name))
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "insert_pool",
                                     .detail = fmt::format("there is a pool \"{}\" already", pool.name.text()),
                                     .reason = "pool_exists",
                                     .field = "/name",
                                     .remedy = "choose another name, or change that pool"});
    const auto count = first_integer(connection.prepare("SELECT count(*) FROM jail_pools"));
    if (!count) return std::unexpected(count.error());
    if (count->value_or(0) >= static_cast<std::int64_t>(model::PoolLimits::pools))
        return std::unexpected(Error{.code = Errc::exhausted,
                                     .op = "insert_pool",
                                     .detail = fmt::format("there are {} pools already", model::PoolLimits::pools),
                                     .reason = "too_many_pools",
                                     .remedy = "remove one: jaildctl pool rm"});
    const auto text = spec_text(pool.spec);
    if (!text) return std::unexpected(text.error());
    auto done = connection.run("INSERT INTO jail_pools (name, spec, created_at) VALUES (?1, ?2, ?3)", pool.name.text(),
                               *text, now.milliseconds);
    if (!done) return std::unexpected(done.error());
    return find(connection, PoolId{connection.last_insert_id()});
}

Result<model::Pool> update(Connection& connection, PoolId id, const model::PoolSpec& spec) {
    const auto before = find(connection, id);
    if (!before) return before;
    const auto text = spec_text(spec);
    if (!text) return std::unexpected(text.error());
    auto done = connection.run(
        "UPDATE jail_pools SET spec = ?2, generation = generation + 1, jail_generation = jail_generation + ?3"
        " WHERE id = ?1",
        id.value, *text, std::int64_t{before->spec.jail == spec.jail ? 0 : 1});
    if (!done) return std::unexpected(done.error());
    return find(connection, id);
}

Result<void> erase(Connection& connection, PoolId id) {
    return connection.run("DELETE FROM jail_pools WHERE id = ?1", id.value);
}

Result<void> put(Connection& connection, JailId jail, const model::Pool& pool) {
    return connection.run("UPDATE jails SET pool = ?2, pool_generation = ?3, pool_name = ?4 WHERE id = ?1", jail.value,
                          pool.id.value, pool.jail_generation, pool.name.text());
}

Result<void> take(Connection& connection, JailId jail, const Clock::Moment& now) {
    return connection.run("UPDATE jails SET pool = NULL, pool_name = NULL, since = ?2, since_utc = ?3 WHERE id = ?1",
                          jail.value, now.monotonic.count(), now.utc.milliseconds);
}

}  // namespace jaild::store::pools
