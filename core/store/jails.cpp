#include "core/store/jails.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/model/dependencies.h"
#include "core/store/addresses.h"
#include "core/store/datasets.h"
#include "core/store/retention.h"
#include "core/store/snapshots.h"
#include "core/store/sqlite_error.h"
#include "core/store/templates.h"

namespace jaild::store::jails {
namespace {

using Json = nlohmann::json;

Error not_found(std::string detail) {
    return Error{.code = Errc::not_found, .op = "find_jail", .detail = std::move(detail), .reason = "jail_not_found"};
}

Error damaged(std::int64_t id, std::string_view what) {
    return corrupt("read_jail", fmt::format("the row of jail {} is damaged: {}", id, what));
}

/// Of columns 7 and 8.
Result<std::optional<model::JailBase>> base_of(const Statement& row) {
    if (row.null(7)) return std::nullopt;
    const auto facts = Json::parse(row.text(8), nullptr, false);
    if (!facts.is_object()) return std::unexpected(damaged(row.integer(0), "template"));
    return model::JailBase{.id = TemplateId{row.integer(7)},
                           .private_parts = facts.value("private", std::vector<std::string>{})};
}

/// Of column 9.
Result<std::optional<model::RootChange>> root_change_of(const Statement& row) {
    if (row.null(9)) return std::nullopt;
    const auto facts = Json::parse(row.text(9), nullptr, false);
    const auto stage = model::parse_root_stage(facts.is_object() ? facts.value("stage", "") : std::string());
    if (!stage) return std::unexpected(damaged(row.integer(0), "root change"));
    model::RootChange change{.stage = *stage,
                             .from = SnapshotId{facts.value("from", std::int64_t{0})},
                             .name = facts.value("name", ""),
                             .from_jail = JailId{facts.value("from_jail", std::int64_t{0})},
                             .keep = {},
                             .base = TemplateId{facts.value("base", std::int64_t{0})},
                             .failed = facts.value("failed", "")};
    if (const auto keep = facts.value("keep", std::int64_t{0}); keep != 0) change.keep = SnapshotId{keep};
    return change;
}

/// Of columns 11 to 13.
std::optional<model::PoolMark> pool_of(const Statement& row) {
    if (row.null(11)) return std::nullopt;
    return model::PoolMark{.id = PoolId{row.integer(11)}, .generation = row.integer(12), .name = row.text(13)};
}

std::string root_change_text(const model::RootChange& change) {
    return Json{{"stage", model::to_string(change.stage)},
                {"base", change.base.value},
                {"failed", change.failed},
                {"from", change.from.value},
                {"name", change.name},
                {"from_jail", change.from_jail.value},
                {"keep", change.keep ? change.keep->value : 0}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Of from_row(), by what follows FROM.
std::string select(std::string_view rest) {
    return fmt::format(
        "SELECT jails.id, jails.name, spec, generation, incarnation, removing, jails.created_at, template, facts,"
        " root_change, since, pool, pool_generation, pool_name FROM jails LEFT JOIN templates ON templates.id = "
        "template {}",
        rest);
}

/// Columns: those of select(); `facts` are the template's. Addresses are not read yet.
Result<model::Jail> from_row(const Statement& row) {
    const auto id = row.integer(0);
    auto name = model::Name::parse(row.text(1));
    if (!name) return std::unexpected(damaged(id, "name"));
    const auto object = Json::parse(row.text(2), nullptr, false);
    if (object.is_discarded()) return std::unexpected(damaged(id, "spec"));
    auto spec = model::parse_spec(object);
    if (!spec) return std::unexpected(damaged(id, "spec: " + spec.error().detail));
    auto base = base_of(row);
    if (!base) return std::unexpected(base.error());
    auto change = root_change_of(row);
    if (!change) return std::unexpected(change.error());
    return model::Jail{.id = JailId{id},
                       .name = *std::move(name),
                       .spec = *std::move(spec),
                       .generation = row.integer(3),
                       .incarnation = row.integer(4),
                       .created_at = UtcTime{row.integer(6)},
                       .since = Milliseconds{row.integer(10)},
                       .removing = row.integer(5) != 0,
                       .interfaces = {},
                       .status = {},
                       .base = *std::move(base),
                       .root_change = *std::move(change),
                       .pool = pool_of(row)};
}

Result<model::Jail> with_addresses(Connection& connection, model::Jail jail) {
    auto assigned = addresses::of_jail(connection, jail.id);
    if (!assigned) return std::unexpected(assigned.error());
    jail.interfaces = *std::move(assigned);
    return jail;
}

Result<std::vector<model::Jail>> read_all(Connection& connection, Statement statement) {
    return all_rows<model::Jail>(std::move(statement), [&](const Statement& row) -> Result<model::Jail> {
        auto jail = from_row(row);
        if (!jail) return jail;
        return with_addresses(connection, *std::move(jail));
    });
}

Result<std::string> spec_text(const model::JailSpec& spec) {
    try {
        return model::to_json(spec, model::Secrets::keep).dump();
    } catch (const Json::exception&) {  // dump() throws on invalid UTF-8
        return std::unexpected(Error::invalid("invalid_utf8", "", "a text in the spec is not valid UTF-8"));
    }
}

/// What no two jails may share; nothing for a private root. parse_spec() takes normalized paths only, so that the same
/// path is the same text.
std::optional<std::string> root_path(const model::JailSpec& spec) {
    if (spec.root.kind != model::RootKind::path) return std::nullopt;
    return spec.root.path;
}

Result<void> check_name_free(Connection& connection, const model::Name& name) {
    auto removing = first_integer(connection.prepare("SELECT removing FROM jails WHERE name = ?1", name.text()));
    if (!removing) return std::unexpected(removing.error());
    if (!*removing) return {};
    const bool going = **removing != 0;
    return std::unexpected(Error{
        .code = Errc::conflict,
        .op = "insert_jail",
        .detail =
            going
                ? fmt::format("jail \"{}\" is being removed; its name is free when nothing of it is left", name.text())
                : fmt::format("there is a jail \"{}\" already (names are unique without regard to case)", name.text()),
        .reason = "name_in_use",
        .field = "/name",
        .remedy = going ? "ask again when it is gone" : "choose another name, or change that jail"});
}

Result<void> check_path_free(Connection& connection, const std::optional<std::string>& path, JailId own) {
    if (!path) return {};
    auto holder =
        first_text(connection.prepare("SELECT name FROM jails WHERE root_path = ?1 AND id <> ?2", *path, own.value));
    if (!holder) return std::unexpected(holder.error());
    if (!*holder) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "check_root",
                                 .detail = fmt::format("{} is the root of jail \"{}\"", *path, **holder),
                                 .reason = "path_in_use",
                                 .field = "/root/path"});
}

/// Of all jails but one that goes away.
Result<model::Dependencies> all_dependencies(Connection& connection) {
    model::Dependencies all;
    auto read = all_rows<int>(connection.prepare("SELECT name, spec -> '$.depends_on' FROM jails"
                                                 " WHERE removing = 0 AND json_array_length(spec, '$.depends_on') > 0"),
                              [&](const Statement& row) -> Result<int> {
                                  const auto name = model::Name::parse(row.text(0));
                                  const auto names = Json::parse(row.text(1), nullptr, false);
                                  if (!name || !names.is_array()) return 0;
                                  for (const auto& one : names) all[name->key()].push_back(model::named_in(one));
                                  return 0;
                              });
    if (!read) return std::unexpected(read.error());
    return all;
}

Result<void> check_dependencies(Connection& connection, const model::Name& name, const model::JailSpec& spec) {
    if (spec.depends_on.empty()) return {};
    const auto all = all_dependencies(connection);
    if (!all) return std::unexpected(all.error());
    return model::check_no_cycle(name.text(), model::names_of(spec.depends_on), *all);
}

/// For changes that make no sense any more on a jail that goes away.
Result<model::Jail> find_staying(Connection& connection, JailId id) {
    auto jail = find(connection, id);
    if (!jail || !jail->removing) return jail;
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "update_jail",
                                 .detail = fmt::format("jail \"{}\" is being removed", jail->name.text()),
                                 .reason = "jail_removing"});
}

Result<void> write_root_change(Connection& connection, JailId id, const model::RootChange& change) {
    return connection.run("UPDATE jails SET root_change = ?2, root_source = ?3 WHERE id = ?1", id.value,
                          root_change_text(change),
                          change.from.value == 0 ? std::nullopt : std::optional(change.from.value));
}

/// Neither it nor its jail is on its way out.
Result<void> check_stays(Connection& connection, const model::Snapshot& snapshot) {
    auto owner = find_staying(connection, snapshot.jail);
    if (!owner) return std::unexpected(owner.error());
    auto now = snapshots::find(connection, snapshot.id);
    if (!now) return std::unexpected(now.error());
    if (now->state == model::SnapshotState::ready) return {};
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "change_root",
              .detail = fmt::format("snapshot {} is {}", now->reference(), model::to_string(now->state)),
              .reason = "snapshot_not_ready",
              .remedy = "name one that is ready: `jaildctl snapshot ls`"});
}

/// The jail's root is made from what that of the snapshot was, under generation + 1.
Result<model::Jail> set_base(Connection& connection, model::Jail jail, const model::Snapshot& like) {
    jail.spec.template_name = like.template_name;
    auto text = spec_text(jail.spec);
    if (!text) return std::unexpected(text.error());
    const auto base = like.base.value == 0 ? std::nullopt : std::optional(like.base.value);
    auto done = connection.run("UPDATE jails SET generation = generation + 1, spec = ?2, template = ?3 WHERE id = ?1",
                               jail.id.value, *text, base);
    if (!done) return std::unexpected(done.error());
    return find(connection, jail.id);
}

}  // namespace

Result<model::Jail> find(Connection& connection, JailId id) {
    auto found = first_row<model::Jail>(connection.prepare(select("WHERE jails.id = ?1"), id.value), from_row);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_found(fmt::format("there is no jail with id {}", id.value)));
    return with_addresses(connection, **std::move(found));
}

Result<model::Jail> find(Connection& connection, const model::Name& name) {
    auto found = first_row<model::Jail>(connection.prepare(select("WHERE jails.name = ?1"), name.text()), from_row);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_found(fmt::format("there is no jail \"{}\"", name.text())));
    return with_addresses(connection, **std::move(found));
}

Result<std::vector<model::Jail>> list(Connection& connection, const JailFilter& filter) {
    auto labels = Json::array();
    for (const auto& [key, value] : filter.labels) labels.push_back({{"key", key}, {"value", value}});
    // One statement for any number of labels: a jail is in unless one of the wanted labels is missing.
    // What is not UTF-8 cannot be a label; replaced, it matches none.
    return read_all(
        connection,
        connection.prepare(
            select("WHERE jails.id > ?1 AND (?2 IS NULL OR spec ->> '$.template' = ?2)"
                   " AND NOT EXISTS (SELECT 1 FROM json_each(?3) AS wanted WHERE NOT EXISTS ("
                   "  SELECT 1 FROM json_each(jails.spec, '$.labels') AS label"
                   "  WHERE label.key = wanted.value ->> '$.key' AND label.value = wanted.value ->> '$.value'))"
                   " ORDER BY jails.id LIMIT ?4"),
            filter.after.value, filter.template_name, labels.dump(-1, ' ', false, Json::error_handler_t::replace),
            as_limit(filter.limit)));
}

Result<std::vector<model::Jail>> all(Connection& connection) {
    return read_all(connection, connection.prepare(select("ORDER BY jails.id")));
}

Result<model::Jail> insert(Connection& connection, const model::NamedSpec& spec, const Clock::Moment& now) {
    if (auto free = check_name_free(connection, spec.name); !free) return std::unexpected(free.error());
    const auto path = root_path(spec.spec);
    if (auto free = check_path_free(connection, path, JailId{}); !free) return std::unexpected(free.error());
    if (auto free = datasets::check_free(connection, spec.spec, JailId{}); !free) return std::unexpected(free.error());
    if (auto good = check_dependencies(connection, spec.name, spec.spec); !good) return std::unexpected(good.error());
    auto resolved = templates::resolve(connection, spec.spec);
    if (!resolved) return std::unexpected(resolved.error());
    auto text = spec_text(resolved->spec);
    if (!text) return std::unexpected(text.error());
    return in_savepoint(connection, [&]() -> Result<model::Jail> {
        auto done = connection.run(
            "INSERT INTO jails (name, root_path, spec, created_at, template, since, since_utc)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4)",
            spec.name.text(), path, *text, now.utc.milliseconds, resolved->id, now.monotonic.count());
        if (!done) return std::unexpected(done.error());
        const JailId id{connection.last_insert_id()};
        if (auto assigned = addresses::assign(connection, id, spec.spec.network); !assigned) {
            return std::unexpected(assigned.error());
        }
        return find(connection, id);
    });
}

Result<model::Jail> update(Connection& connection, JailId id, const model::JailSpec& spec, const Clock::Moment& now) {
    const auto before = find_staying(connection, id);
    if (!before) return before;
    const auto path = root_path(spec);
    if (auto free = check_path_free(connection, path, id); !free) return std::unexpected(free.error());
    if (auto free = datasets::check_free(connection, spec, id); !free) return std::unexpected(free.error());
    if (auto good = check_dependencies(connection, before->name, spec); !good) return std::unexpected(good.error());
    auto text = spec_text(spec);
    if (!text) return std::unexpected(text.error());
    return in_savepoint(connection, [&]() -> Result<model::Jail> {
        auto done =
            connection.run("UPDATE jails SET spec = ?2, root_path = ?3, generation = generation + 1 WHERE id = ?1",
                           id.value, *text, path);
        if (done && before->spec.ttl != spec.ttl)
            done = connection.run("UPDATE jails SET since = ?2, since_utc = ?3 WHERE id = ?1", id.value,
                                  now.monotonic.count(), now.utc.milliseconds);
        if (done) done = addresses::assign(connection, id, spec.network);
        if (!done) return std::unexpected(done.error());
        return find(connection, id);
    });
}

Result<model::Jail> request_restart(Connection& connection, JailId id) {
    if (auto before = find_staying(connection, id); !before) return before;
    auto done = connection.run("UPDATE jails SET incarnation = incarnation + 1 WHERE id = ?1", id.value);
    if (!done) return std::unexpected(done.error());
    return find(connection, id);
}

Result<model::Jail> change_root(Connection& connection, JailId id, const model::RootChange& change,
                                const model::Snapshot& from) {
    auto before = find_staying(connection, id);
    if (!before) return before;
    if (auto there = check_stays(connection, from); !there) return std::unexpected(there.error());
    if (auto written = write_root_change(connection, id, change); !written) return std::unexpected(written.error());
    return set_base(connection, *std::move(before), from);
}

Result<model::Jail> begin_upgrade(Connection& connection, JailId id, const model::RootChange& change,
                                  const model::Template& to) {
    auto before = find_staying(connection, id);
    if (!before) return before;
    if (auto written = write_root_change(connection, id, change); !written) return std::unexpected(written.error());
    return set_base(connection, *std::move(before), {.template_name = to.reference(), .base = to.id, .size = {}});
}

Result<model::Jail> begin_unpack(Connection& connection, JailId id) {
    const model::RootChange change{
        .stage = model::RootStage::unpack, .from = {}, .name = "an archive", .from_jail = {}};
    if (auto written = write_root_change(connection, id, change); !written) return std::unexpected(written.error());
    return find(connection, id);
}

Result<model::Jail> go_on_with_root(Connection& connection, JailId id, model::RootStage stage) {
    auto jail = find(connection, id);
    if (!jail || !jail->root_change) return jail;
    auto change = *jail->root_change;
    change.stage = stage;
    if (auto written = write_root_change(connection, id, change); !written) return std::unexpected(written.error());
    return find(connection, id);
}

Result<model::Jail> end_root_change(Connection& connection, JailId id) {
    auto done = connection.run("UPDATE jails SET root_change = NULL, root_source = NULL WHERE id = ?1", id.value);
    if (!done) return std::unexpected(done.error());
    return find(connection, id);
}

Result<model::Jail> undo_root_change(Connection& connection, JailId id) {
    auto jail = find(connection, id);
    if (!jail || !jail->root_change || !jail->root_change->keep) return jail;
    const auto kept = *jail->root_change->keep;
    auto before = snapshots::find(connection, kept);
    if (!before) return std::unexpected(before.error());
    if (auto ended = end_root_change(connection, id); !ended) return ended;
    if (auto erased = snapshots::erase(connection, kept); !erased) return std::unexpected(erased.error());
    return set_base(connection, *std::move(jail), *before);
}

Result<model::Jail> mark_removing(Connection& connection, JailId id) {
    auto done = connection.run("UPDATE jails SET removing = 1 WHERE id = ?1", id.value);
    if (!done) return std::unexpected(done.error());
    return find(connection, id);
}

Result<std::vector<model::Jail>> begin_boot(Connection& connection, const std::string& boot, const Clock::Moment& now) {
    const auto last = first_text(connection.prepare("SELECT value FROM meta WHERE key = 'boot'"));
    if (!last) return std::unexpected(last.error());
    if (*last && **last == boot) return std::vector<model::Jail>{};
    auto done = connection.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('boot', ?1)", boot);
    if (done)
        done = connection.run("UPDATE jails SET since = ?1 - max(0, ?2 - since_utc)", now.monotonic.count(),
                              now.utc.milliseconds);
    if (!done) return std::unexpected(done.error());
    if (!*last) return std::vector<model::Jail>{};  // nobody has seen this host before
    return read_all(connection,
                    connection.prepare(select("WHERE removing = 0 AND json_type(spec, '$.ephemeral') = 'object'"
                                              " ORDER BY jails.id")));
}

Result<void> erase(Connection& connection, JailId id) {
    auto done = connection.run("DELETE FROM jails WHERE id = ?1", id.value);  // its addresses go with it
    if (!done) return done;
    if (connection.changes() == 0) {
        return std::unexpected(not_found(fmt::format("there is no jail with id {}", id.value)));
    }
    return {};
}

}  // namespace jaild::store::jails
