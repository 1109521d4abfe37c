#include "core/store/snapshots.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/store/sqlite_error.h"

namespace jaild::store::snapshots {
namespace {

using Json = nlohmann::json;

Error damaged(std::int64_t id) {
    return corrupt("read_snapshot", fmt::format("the row of snapshot {} is damaged", id));
}

Result<model::SnapshotState> parse_state(const std::string& text) {
    using enum model::SnapshotState;
    for (const auto state : {creating, ready, removing})
        if (model::to_string(state) == text) return state;
    return std::unexpected(corrupt("read_snapshot", "unknown state " + text));
}

std::string facts_text(const model::Snapshot& value) {
    return Json{{"series", value.series}, {"description", value.description}, {"template", value.template_name}}.dump(
        -1, ' ', false, Json::error_handler_t::replace);
}

/// Columns: id, jail, jail's name, name, state, reason, facts, template, entries, bytes, created_at.
Result<model::Snapshot> from_row(const Statement& row) {
    const auto id = row.integer(0);
    auto state = parse_state(row.text(4));
    const auto reason = model::parse_snapshot_reason(row.text(5));
    const auto facts = Json::parse(row.text(6), nullptr, false);
    if (!state || !reason || !facts.is_object()) return std::unexpected(damaged(id));
    model::Snapshot value{.id = SnapshotId{id},
                          .jail = JailId{row.integer(1)},
                          .jail_name = row.text(2),
                          .name = row.text(3),
                          .state = *state,
                          .reason = *reason,
                          .series = facts.value("series", ""),
                          .description = facts.value("description", ""),
                          .template_name = facts.value("template", ""),
                          .base = TemplateId{row.null(7) ? 0 : row.integer(7)},
                          .size = {},
                          .created_at = UtcTime{row.integer(10)}};
    if (!row.null(8))
        value.size = model::SnapshotSize{.entries = static_cast<std::uint64_t>(row.integer(8)),
                                         .bytes = static_cast<std::uint64_t>(row.integer(9))};
    return value;
}

Error not_found(std::string detail) {
    return Error{.code = Errc::not_found,
                 .op = "find_snapshot",
                 .detail = std::move(detail),
                 .reason = "snapshot_not_found",
                 .remedy = "`jaildctl snapshot ls` lists all snapshots"};
}

constexpr std::string_view kById =
    "SELECT snapshots.id, jail, jails.name, snapshots.name, state, reason, facts, snapshots.template, entries, bytes,"
    " snapshots.created_at FROM snapshots JOIN jails ON jails.id = jail WHERE snapshots.id = ?1";
constexpr std::string_view kByName =
    "SELECT snapshots.id, jail, jails.name, snapshots.name, state, reason, facts, snapshots.template, entries, bytes,"
    " snapshots.created_at FROM snapshots JOIN jails ON jails.id = jail WHERE jail = ?1 AND snapshots.name = ?2";
/// Of one jail, or of all for NULL.
constexpr std::string_view kAll =
    "SELECT snapshots.id, jail, jails.name, snapshots.name, state, reason, facts, snapshots.template, entries, bytes,"
    " snapshots.created_at FROM snapshots JOIN jails ON jails.id = jail WHERE ?1 IS NULL OR jail = ?1"
    " ORDER BY snapshots.id";

Error exists(const model::Snapshot& there) {
    const bool going = there.state == model::SnapshotState::removing;
    return Error{.code = Errc::conflict,
                 .op = "insert_snapshot",
                 .detail = going ? fmt::format("snapshot {} is being removed", there.reference())
                                 : fmt::format("there is a snapshot {} already", there.reference()),
                 .reason = "snapshot_exists",
                 .field = "/name",
                 .remedy = going ? "ask again when it is gone" : "choose another name"};
}

Result<void> check_room(Connection& connection, JailId jail) {
    const auto count = first_integer(connection.prepare("SELECT count(*) FROM snapshots WHERE jail = ?1", jail.value));
    if (!count) return std::unexpected(count.error());
    if (static_cast<std::size_t>(count->value_or(0)) < model::SnapshotLimits::per_jail) return {};
    return std::unexpected(
        Error{.code = Errc::exhausted,
              .op = "insert_snapshot",
              .detail = fmt::format("a jail has at most {} snapshots", model::SnapshotLimits::per_jail),
              .reason = "too_many_snapshots",
              .remedy = "remove some: jaildctl snapshot rm"});
}

/// Names of jails whose root is still to become this snapshot.
Result<std::vector<std::string>> users(Connection& connection, SnapshotId id) {
    return all_rows<std::string>(
        connection.prepare("SELECT name FROM jails WHERE root_source = ?1 ORDER BY id", id.value),
        [](const Statement& row) -> Result<std::string> { return row.text(0); });
}

}  // namespace

Result<model::Snapshot> find(Connection& connection, SnapshotId id) {
    auto found = first_row<model::Snapshot>(connection.prepare(kById, id.value), from_row);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_found(fmt::format("there is no snapshot with id {}", id.value)));
    return **std::move(found);
}

Result<model::Snapshot> find(Connection& connection, JailId jail, const std::string& name) {
    auto found = first_row<model::Snapshot>(connection.prepare(kByName, jail.value, name), from_row);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_found(fmt::format("this jail has no snapshot \"{}\"", name)));
    return **std::move(found);
}

Result<std::vector<model::Snapshot>> of_jail(Connection& connection, JailId jail) {
    return all_rows<model::Snapshot>(connection.prepare(kAll, jail.value), from_row);
}

Result<std::vector<model::Snapshot>> all(Connection& connection) {
    return all_rows<model::Snapshot>(connection.prepare(kAll, std::optional<std::int64_t>()), from_row);
}

Result<model::Snapshot> insert(Connection& connection, const model::Snapshot& value, UtcTime now) {
    auto there = find(connection, value.jail, value.name);
    if (there) return std::unexpected(exists(*there));
    if (there.error().code != Errc::not_found) return std::unexpected(there.error());
    if (auto room = check_room(connection, value.jail); !room) return std::unexpected(room.error());
    const auto base = value.base.value == 0 ? std::nullopt : std::optional(value.base.value);
    auto done = connection.run(
        "INSERT INTO snapshots (jail, name, state, reason, facts, template, created_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        value.jail.value, value.name, model::to_string(model::SnapshotState::creating), model::to_string(value.reason),
        facts_text(value), base, now.milliseconds);
    if (!done) return std::unexpected(done.error());
    return find(connection, SnapshotId{connection.last_insert_id()});
}

Result<model::Snapshot> finish(Connection& connection, SnapshotId id, const std::optional<model::SnapshotSize>& size) {
    const auto counted = [&](std::uint64_t model::SnapshotSize::*field) {
        return size ? std::optional(static_cast<std::int64_t>((*size).*field)) : std::nullopt;
    };
    auto done = connection.run(
        "UPDATE snapshots SET state = 'ready', entries = ?2, bytes = ?3 WHERE id = ?1 AND state = 'creating'", id.value,
        counted(&model::SnapshotSize::entries), counted(&model::SnapshotSize::bytes));
    if (!done) return std::unexpected(done.error());
    if (connection.changes() == 0)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "finish_snapshot",
                                     .detail = fmt::format("snapshot {} is not being made", id.value),
                                     .reason = "snapshot_not_creating"});
    return find(connection, id);
}

Result<model::Snapshot> mark_removing(Connection& connection, SnapshotId id) {
    auto snapshot = find(connection, id);
    if (!snapshot) return snapshot;
    auto jails = users(connection, id);
    if (!jails) return std::unexpected(jails.error());
    if (!jails->empty())
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "remove_snapshot",
                                     .detail = fmt::format("snapshot {} is to become the root of {}",
                                                           snapshot->reference(), fmt::join(*jails, ", ")),
                                     .reason = "snapshot_in_use",
                                     .remedy = "ask again when that is done"});
    auto done = connection.run("UPDATE snapshots SET state = 'removing' WHERE id = ?1", id.value);
    if (!done) return std::unexpected(done.error());
    return find(connection, id);
}

Result<void> erase(Connection& connection, SnapshotId id) {
    return connection.run("DELETE FROM snapshots WHERE id = ?1", id.value);  // its jail may have taken it along
}

Result<std::vector<std::string>> of_template(Connection& connection, TemplateId id) {
    return all_rows<std::string>(
        connection.prepare("SELECT jails.name || '@' || snapshots.name FROM snapshots JOIN jails ON jails.id = jail"
                           " WHERE snapshots.template = ?1 ORDER BY snapshots.id",
                           id.value),
        [](const Statement& row) -> Result<std::string> { return row.text(0); });
}

Result<void> check_free(Connection& connection, JailId jail) {
    auto user =
        first_text(connection.prepare("SELECT jails.name FROM jails JOIN snapshots ON snapshots.id = root_source"
                                      " WHERE snapshots.jail = ?1 AND jails.id <> ?1",
                                      jail.value));
    if (!user) return std::unexpected(user.error());
    if (!*user) return {};
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "remove_jail",
              .detail = fmt::format("the root of jail \"{}\" is being made from a snapshot of it", **user),
              .reason = "snapshot_in_use",
              .remedy = "ask again when that is done"});
}

}  // namespace jaild::store::snapshots
