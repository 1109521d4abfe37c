#include "core/store/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/random.h"
#include "core/store/retention.h"
#include "core/store/sqlite_error.h"

namespace jaild::store::operations {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kKeptSteps = 64;

std::string dump(const Json& json) {
    // Texts of programs can be part of a step or problem: they need not be UTF-8.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string steps_text(const std::vector<std::string>& steps) {
    auto kept = Json::array();
    for (std::size_t i = steps.size() - std::min(steps.size(), kKeptSteps); i < steps.size(); ++i) {
        kept.push_back(steps[i]);
    }
    return dump(kept);
}

std::optional<std::string> problem_text(const std::optional<model::Problem>& problem) {
    if (!problem) return std::nullopt;
    return dump({{"kind", to_string(problem->kind)},
                 {"code", problem->code},
                 {"detail", problem->detail},
                 {"field", problem->field},
                 {"remedy", problem->remedy},
                 {"sys", problem->sys}});
}

Result<model::OperationState> parse_state(const std::string& text) {
    using enum model::OperationState;
    for (const auto state : {running, succeeded, failed, cancelled}) {
        if (model::to_string(state) == text) return state;
    }
    return std::unexpected(corrupt("read_operation", "unknown state " + text));
}

/// Of from_row(), by a condition.
std::string select(std::string_view condition) {
    return fmt::format(
        "SELECT id, kind, jail, jail_name, generation, incarnation, state, steps, problem, created_at, finished_at,"
        " template, template_name, snapshot, snapshot_name FROM operations WHERE {}",
        condition);
}

/// Columns: those of select().
Result<model::Operation> from_row(const Statement& row) {
    auto state = parse_state(row.text(6));
    if (!state) return std::unexpected(state.error());
    model::Operation operation{.id = row.text(0),
                               .kind = row.text(1),
                               .jail = JailId{row.integer(2)},
                               .jail_name = row.text(3),
                               .generation = row.integer(4),
                               .incarnation = row.integer(5),
                               .state = *state,
                               .steps = {},
                               .problem = {},
                               .created_at = UtcTime{row.integer(9)},
                               .finished_at = {},
                               .template_id = TemplateId{row.integer(11)},
                               .template_name = row.text(12),
                               .snapshot_id = SnapshotId{row.integer(13)},
                               .snapshot_name = row.text(14)};
    if (!row.null(10)) operation.finished_at = UtcTime{row.integer(10)};
    try {
        operation.steps = Json::parse(row.text(7)).get<std::vector<std::string>>();
        if (!row.null(8)) {
            const auto problem = Json::parse(row.text(8));
            operation.problem = model::Problem{.kind = model::parse_problem_kind(problem.value("kind", "")),
                                               .code = problem.at("code"),
                                               .detail = problem.at("detail"),
                                               .field = problem.at("field"),
                                               .remedy = problem.at("remedy"),
                                               .sys = problem.at("sys")};
        }
    } catch (const Json::exception&) {
        return std::unexpected(
            corrupt("read_operation", fmt::format("the row of operation {} is damaged", operation.id)));
    }
    return operation;
}

Error not_found(const std::string& id) {
    return Error{.code = Errc::not_found,
                 .op = "find_operation",
                 .detail = fmt::format("there is no operation {}", id),
                 .reason = "operation_not_found"};
}

}  // namespace

Result<model::Operation> find(Connection& connection, const std::string& id) {
    auto found = first_row<model::Operation>(connection.prepare(select("id = ?1"), id), from_row);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(not_found(id));
    return **std::move(found);
}

Result<std::vector<model::Operation>> running(Connection& connection, JailId jail) {
    return all_rows<model::Operation>(
        connection.prepare(select("jail = ?1 AND snapshot = 0 AND state = 'running' ORDER BY seq"), jail.value),
        from_row);
}

Result<std::vector<model::Operation>> running(Connection& connection, TemplateId id) {
    return all_rows<model::Operation>(
        connection.prepare(select("template = ?1 AND template <> 0 AND state = 'running' ORDER BY seq"), id.value),
        from_row);
}

Result<std::vector<model::Operation>> running(Connection& connection, SnapshotId id) {
    return all_rows<model::Operation>(
        connection.prepare(select("snapshot = ?1 AND snapshot <> 0 AND state = 'running' ORDER BY seq"), id.value),
        from_row);
}

Result<std::vector<model::Operation>> running_of_snapshots(Connection& connection) {
    return all_rows<model::Operation>(connection.prepare(select("snapshot <> 0 AND state = 'running' ORDER BY seq")),
                                      from_row);
}

Result<model::Operation> insert(Connection& connection, const model::Operation& operation, UtcTime now,
                                std::size_t keep) {
    auto stored = operation;
    stored.id = random_hex(8);  // nobody can guess another operation's
    stored.created_at = now;
    auto done = connection.run(
        "INSERT INTO operations (id, kind, jail, jail_name, generation, incarnation, state, steps, problem,"
        " created_at, template, template_name, snapshot, snapshot_name)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        stored.id, stored.kind, stored.jail.value, stored.jail_name, stored.generation, stored.incarnation,
        model::to_string(stored.state), steps_text(stored.steps), problem_text(stored.problem), now.milliseconds,
        stored.template_id.value, stored.template_name, stored.snapshot_id.value, stored.snapshot_name);
    if (!done) return std::unexpected(done.error());
    const auto newest = connection.last_insert_id();
    if (prune_is_due(newest, keep)) {
        auto pruned = connection.run(
            "DELETE FROM operations WHERE seq <= ?1 AND state <> 'running'"
            " AND id NOT IN (SELECT operation FROM idempotency_keys)",
            prune_up_to(newest, keep));
        if (!pruned) return std::unexpected(pruned.error());
    }
    return stored;
}

Result<void> update(Connection& connection, const model::Operation& operation, UtcTime now) {
    std::optional<std::int64_t> finished;
    if (operation.state != model::OperationState::running) {
        finished = operation.finished_at.value_or(now).milliseconds;
    }
    auto done = connection.run(
        "UPDATE operations SET generation = ?2, incarnation = ?3, state = ?4, steps = ?5, problem = ?6,"
        " finished_at = ?7 WHERE id = ?1",
        operation.id, operation.generation, operation.incarnation, model::to_string(operation.state),
        steps_text(operation.steps), problem_text(operation.problem), finished);
    if (!done) return done;
    if (connection.changes() == 0) return std::unexpected(not_found(operation.id));
    return {};
}

}  // namespace jaild::store::operations
