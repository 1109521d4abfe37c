#include "core/store/templates.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/store/snapshots.h"
#include "core/store/sqlite_error.h"

namespace jaild::store::templates {
namespace {

using Json = nlohmann::json;

Result<model::TemplateState> parse_state(const std::string& text) {
    using enum model::TemplateState;
    for (const auto state : {importing, ready, removing})
        if (model::to_string(state) == text) return state;
    return std::unexpected(corrupt("read_template", "unknown state " + text));
}

std::string facts_text(const model::Template& value) {
    auto sets = Json::array();
    for (const auto& set : value.sets)
        sets.push_back({{"name", set.name}, {"sha256", set.sha256}, {"bytes", set.bytes}});
    return Json{{"description", value.description}, {"source", value.source}, {"private", value.private_parts},
                {"sets", std::move(sets)},          {"bytes", value.bytes},   {"entries", value.entries}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Columns: id, name, version, state, facts, created_at, latest.
Result<model::Template> from_row(const Statement& row) {
    const auto damaged = [&] {
        return std::unexpected(
            corrupt("read_template", fmt::format("the row of template {} is damaged", row.integer(0))));
    };
    auto name = model::Name::parse(row.text(1));
    auto state = parse_state(row.text(3));
    if (!name || !state) return damaged();
    model::Template value{.id = TemplateId{row.integer(0)},
                          .name = *std::move(name),
                          .version = row.text(2),
                          .state = *state,
                          .latest = row.integer(6) != 0,
                          .description = {},
                          .source = {},
                          .private_parts = {},
                          .sets = {},
                          .created_at = UtcTime{row.integer(5)}};
    try {
        const auto facts = Json::parse(row.text(4));
        value.description = facts.at("description");
        value.source = facts.at("source");
        value.private_parts = facts.at("private").get<std::vector<std::string>>();
        for (const auto& set : facts.at("sets"))
            value.sets.push_back({.name = set.at("name"), .sha256 = set.at("sha256"), .bytes = set.at("bytes")});
        value.bytes = facts.at("bytes");
        value.entries = facts.at("entries");
    } catch (const Json::exception&) {
        return damaged();
    }
    return value;
}

Error not_found(std::string detail) {
    return Error{.code = Errc::not_found,
                 .op = "find_template",
                 .detail = std::move(detail),
                 .reason = "template_not_found",
                 .remedy = "`jaildctl template ls` lists all templates"};
}

/// The latest of a name: of those that are ready the one that was made last.
constexpr std::string_view kById =
    "SELECT id, name, version, state, facts, created_at, id IN latest_templates FROM templates WHERE id = ?1";
constexpr std::string_view kByVersion =
    "SELECT id, name, version, state, facts, created_at, id IN latest_templates FROM templates"
    " WHERE name = ?1 AND version = ?2";
constexpr std::string_view kLatestOf =
    "SELECT id, name, version, state, facts, created_at, 1 FROM templates"
    " WHERE name = ?1 AND state = 'ready' ORDER BY id DESC LIMIT 1";
constexpr std::string_view kAll =
    "SELECT id, name, version, state, facts, created_at, id IN latest_templates FROM templates ORDER BY id";

Result<std::optional<model::Template>> first(Statement statement) {
    return first_row<model::Template>(std::move(statement), from_row);
}

Result<std::string> free_number(Connection& connection, const model::Name& name) {
    auto highest = first_integer(
        connection.prepare("SELECT coalesce(max(CAST(version AS INTEGER)), 0) FROM templates WHERE name = ?1"
                           " AND version NOT GLOB '*[^0-9]*' AND length(version) < 10",
                           name.text()));
    if (!highest) return std::unexpected(highest.error());
    return std::to_string(highest->value_or(0) + 1);
}

}  // namespace

Error exists(const model::Template& there) {
    const bool going = there.state == model::TemplateState::removing;
    return Error{
        .code = Errc::conflict,
        .op = "insert_template",
        .detail = going ? fmt::format("template {} is being removed", there.reference())
                        : fmt::format("there is a template {} already", there.reference()),
        .reason = "template_exists",
        .field = "/version",
        .remedy = going ? "ask again when it is gone"
                        : fmt::format("a template never changes: choose another version than {}", there.version)};
}

Result<model::Template> find(Connection& connection, TemplateId id) {
    auto found = first(connection.prepare(kById, id.value));
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_found(fmt::format("there is no template with id {}", id.value)));
    return **std::move(found);
}

Result<model::Template> find(Connection& connection, const model::TemplateRef& reference) {
    const auto& name = reference.name().text();
    auto found = first(reference.latest() ? connection.prepare(kLatestOf, name)
                                          : connection.prepare(kByVersion, name, reference.version()));
    if (!found) return std::unexpected(found.error());
    if (*found) return **std::move(found);
    return std::unexpected(not_found(
        reference.latest() ? fmt::format("there is no version of a template \"{}\" that is ready", reference.text())
                           : fmt::format("there is no template \"{}\"", reference.text())));
}

Result<std::vector<model::Template>> all(Connection& connection) {
    return all_rows<model::Template>(connection.prepare(kAll), from_row);
}

Result<std::vector<std::string>> users(Connection& connection, TemplateId id) {
    return all_rows<std::string>(connection.prepare("SELECT name FROM jails WHERE template = ?1 ORDER BY id", id.value),
                                 [](const Statement& row) -> Result<std::string> { return row.text(0); });
}

Result<std::vector<TemplateUser>> users(Connection& connection) {
    return all_rows<TemplateUser>(
        connection.prepare("SELECT template, name, '', id FROM jails WHERE template IS NOT NULL"
                           " UNION ALL SELECT snapshots.template, jails.name, jails.name || '@' || snapshots.name,"
                           " snapshots.id FROM snapshots JOIN jails ON jails.id = snapshots.jail"
                           " WHERE snapshots.template IS NOT NULL ORDER BY 4"),
        [](const Statement& row) -> Result<TemplateUser> {
            return TemplateUser{.id = TemplateId{row.integer(0)}, .jail = row.text(1), .snapshot = row.text(2)};
        });
}

Result<model::Template> insert(Connection& connection, const model::Template& value, UtcTime now) {
    auto stored = value;
    if (stored.version.empty()) {
        auto number = free_number(connection, stored.name);
        if (!number) return std::unexpected(number.error());
        stored.version = *std::move(number);
    }
    auto reference = model::TemplateRef::make(stored.name.text(), stored.version, "/version");
    if (!reference) return std::unexpected(reference.error());
    auto there = find(connection, *reference);
    if (there) return std::unexpected(exists(*there));
    if (there.error().code != Errc::not_found) return std::unexpected(there.error());
    auto done =
        connection.run("INSERT INTO templates (name, version, state, facts, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                       stored.name.text(), stored.version, model::to_string(model::TemplateState::importing),
                       facts_text(stored), now.milliseconds);
    if (!done) return std::unexpected(done.error());
    return find(connection, TemplateId{connection.last_insert_id()});
}

Result<model::Template> finish(Connection& connection, const model::Template& value) {
    auto done = connection.run("UPDATE templates SET state = 'ready', facts = ?2 WHERE id = ?1 AND state = 'importing'",
                               value.id.value, facts_text(value));
    if (!done) return std::unexpected(done.error());
    if (connection.changes() == 0)
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "finish_template",
                                     .detail = fmt::format("template {} is not being imported", value.reference()),
                                     .reason = "template_not_importing"});
    return find(connection, value.id);
}

Result<model::Template> mark_removing(Connection& connection, TemplateId id) {
    auto template_ = find(connection, id);
    if (!template_) return template_;
    auto jails = users(connection, id);
    if (!jails) return std::unexpected(jails.error());
    if (!jails->empty())
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "remove_template",
                  .detail = fmt::format("template {} has jails: {}", template_->reference(), fmt::join(*jails, ", ")),
                  .reason = "template_in_use",
                  .remedy = "remove these jails first"});
    auto kept = snapshots::of_template(connection, id);
    if (!kept) return std::unexpected(kept.error());
    if (!kept->empty())
        return std::unexpected(Error{
            .code = Errc::conflict,
            .op = "remove_template",
            .detail = fmt::format("template {} has snapshots: {}", template_->reference(), fmt::join(*kept, ", ")),
            .reason = "template_in_use",
            .remedy = "remove these snapshots first: jaildctl snapshot rm"});
    auto done = connection.run("UPDATE templates SET state = 'removing' WHERE id = ?1", id.value);
    if (!done) return std::unexpected(done.error());
    return find(connection, id);
}

Result<void> erase(Connection& connection, TemplateId id) {
    auto done = connection.run("DELETE FROM templates WHERE id = ?1", id.value);
    if (!done) return done;
    if (connection.changes() == 0)
        return std::unexpected(not_found(fmt::format("there is no template with id {}", id.value)));
    return {};
}

Result<Resolved> resolve(Connection& connection, const model::JailSpec& spec) {
    if (spec.root.kind == model::RootKind::path) return Resolved{.spec = spec, .id = std::nullopt};
    auto reference = model::TemplateRef::parse(spec.template_name);
    if (!reference) return std::unexpected(reference.error());
    if (reference->is_host()) return Resolved{.spec = spec, .id = std::nullopt};
    auto found = find(connection, *reference);
    if (!found && found.error().code == Errc::not_found)
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "resolve_template",
                                     .detail = found.error().detail,
                                     .reason = "template_unknown",
                                     .field = "/template",
                                     .remedy = found.error().remedy});
    if (!found) return std::unexpected(found.error());
    if (found->state != model::TemplateState::ready)
        return std::unexpected(Error{
            .code = Errc::conflict,
            .op = "resolve_template",
            .detail =
                fmt::format("template {} is {}", found->reference(),
                            found->state == model::TemplateState::importing ? "still being imported" : "being removed"),
            .reason = "template_not_ready",
            .field = "/template",
            .remedy = "name one that is ready: `jaildctl template ls`"});
    Resolved resolved{.spec = spec, .id = found->id.value};
    resolved.spec.template_name = found->reference();
    return resolved;
}

}  // namespace jaild::store::templates
