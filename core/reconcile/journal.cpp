#include "core/reconcile/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/jobs/end_operation.h"

namespace jaild::reconcile {
namespace {

using model::Operation;
using model::OperationState;
using store::Reader;
using store::Writer;

constexpr std::string_view kRemove = "remove";
constexpr std::string_view kRestore = "snapshot.restore";
constexpr std::string_view kUpgrade = "upgrade";
constexpr std::string_view kImport = "import";

/// Names of files, and what programs printed, may hold bytes that are no UTF-8.
std::string text_of(const nlohmann::json& data) {
    return data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Those whose wish the row holds already; a later one has its own round. A removal changes no generation.
Result<std::vector<Operation>> operations_of(Reader& reader, const model::Jail& row) {
    auto running = reader.running_operations(row.id);
    if (!running) return running;
    std::erase_if(*running, [&](const Operation& operation) {
        return operation.generation > row.generation || operation.incarnation > row.incarnation ||
               (operation.kind == kRemove && !row.removing) || (operation.kind == kImport && row.unpacking());
    });
    return running;
}

Result<void> append(Writer& writer, const std::string& jail, const std::string& operation, const Note& note) {
    auto appended = writer.append_event(note.type, jail, operation, note.data);
    if (!appended) return std::unexpected(appended.error());
    return {};
}

Result<void> append_all(Writer& writer, const std::string& jail, const std::vector<Note>& notes) {
    for (const auto& note : notes)
        if (auto appended = append(writer, jail, {}, note); !appended) return appended;
    return {};
}

Error upgrade_failed(const model::RootChange& change) {
    return Error{.code = Errc::conflict,
                 .op = "upgrade",
                 .detail = change.failed + "; the jail has again the root that it had",
                 .reason = "upgrade_taken_back",
                 .remedy = "what the upgrade made of it is kept as a snapshot: jaildctl snapshot ls"};
}

Result<void> end_upgrades(Writer& writer, const model::Jail& row, const Error& error, UtcTime now) {
    auto operations = operations_of(writer, row);
    if (!operations) return std::unexpected(operations.error());
    for (auto& operation : *operations) {
        if (operation.kind != kUpgrade) continue;
        auto ended = jobs::end_operation(writer, operation, OperationState::failed, model::to_problem(error), {}, now);
        if (!ended) return ended;
    }
    return {};
}

}  // namespace

Note drift_note(std::string_view kind, const std::string& name, const std::vector<std::string>& steps, unsigned times) {
    nlohmann::json data{{std::string(kind), name}, {"steps", steps}};
    if (times > 1) data["times"] = times;
    return {.type = "drift.repaired", .data = text_of(data)};
}

Note forwarding_note(const std::string& family, const std::string& network) {
    return {.type = "host.forwarding_enabled", .data = text_of({{"family", family}, {"network", network}})};
}

Note state_note(model::JailState state) {
    return {.type = "jail.state", .data = nlohmann::json{{"state", model::to_string(state)}}.dump()};
}

Note command_ended_note(const std::optional<model::LastExit>& exit) {
    return {.type = "command.ended", .data = exit ? model::to_json(*exit).dump() : "{}"};
}

std::vector<Note> breach_notes(const std::map<std::string, std::uint64_t>& before,
                               const std::map<std::string, std::uint64_t>& now) {
    std::vector<Note> notes;
    for (const auto& [resource, count] : now) {
        const auto found = before.find(resource);
        const auto known = found == before.end() ? 0 : found->second;
        // Fewer: another life of the jail.
        const auto times = count >= known ? count - known : count;
        if (times == 0) continue;
        const nlohmann::json data{{"resource", resource}, {"times", times}, {"total", count}};
        notes.push_back({.type = "limit.breached", .data = data.dump()});
    }
    return notes;
}

Note restart_note(const EndedCommand& ended, UtcTime now) {
    const auto waited = std::max<std::int64_t>(0, now.milliseconds - ended.exit.at.milliseconds);
    return {.type = "command.restarted",
            .data = nlohmann::json{{"restarts", ended.before.count + 1},
                                   {"waited_seconds", static_cast<double>(waited) / 1000},
                                   {"after", model::to_json(ended.exit)}}
                        .dump()};
}

Note follow_note(const std::string& jail) {
    return {.type = "dependency.restarted", .data = nlohmann::json{{"dependency", jail}}.dump()};
}

Note health_note(const model::HealthStatus& health, const model::HealthSpec& spec) {
    return {.type = "jail." + std::string(model::to_string(health.state)),
            .data = text_of({{"probe", model::describe(spec)},
                             {"failures", health.failures},
                             {"message", health.message},
                             {"at", health.since.to_string()}})};
}

Note failure_note(const Failure& failure) {
    const nlohmann::json data{{"step", failure.step},
                              {"reason", failure.error.name()},
                              {"errno", failure.error.sys},
                              {"message", message_of(failure)}};
    return {.type = "step.failed", .data = text_of(data)};
}

Result<void> Journal::converged(const model::Jail& row, const std::vector<std::string>& progress,
                                const std::vector<Note>& notes) {
    if (notes.empty()) {
        auto waiting =
            store::read<std::vector<Operation>>(store_, [&](Reader& reader) { return operations_of(reader, row); });
        if (!waiting) return std::unexpected(waiting.error());
        if (waiting->empty()) return {};
    }
    return store_.write([&](Writer& writer) -> Result<void> {
        if (auto appended = append_all(writer, row.name.text(), notes); !appended) return appended;
        auto operations = operations_of(writer, row);
        if (!operations) return std::unexpected(operations.error());
        for (auto& operation : *operations) {
            auto ended =
                jobs::end_operation(writer, operation, OperationState::succeeded, std::nullopt, progress, clock_.utc());
            if (!ended) return ended;
        }
        return {};
    });
}

Result<void> Journal::failed(const model::Jail& row, const std::vector<std::string>& progress, const Failure& failure,
                             Operations operations, const std::vector<Note>& notes) {
    const bool fails = operations == Operations::fail;
    if (notes.empty()) {
        if (!fails) return {};
        auto waiting =
            store::read<std::vector<Operation>>(store_, [&](Reader& reader) { return operations_of(reader, row); });
        if (!waiting) return std::unexpected(waiting.error());
        if (waiting->empty()) return {};
    }
    return store_.write([&](Writer& writer) -> Result<void> {
        if (auto appended = append_all(writer, row.name.text(), notes); !appended) return appended;
        if (!fails) return {};
        auto ending = operations_of(writer, row);
        if (!ending) return std::unexpected(ending.error());
        auto problem = model::to_problem(failure.error);
        problem.detail = failure.step + ": " + problem.detail;
        for (auto& operation : *ending) {
            auto ended =
                jobs::end_operation(writer, operation, OperationState::failed, problem, progress, clock_.utc());
            if (!ended) return ended;
        }
        return {};
    });
}

Result<void> Journal::root_changed(const model::Jail& row) {
    const auto& change = row.root_change.value();
    return store_.write([&](Writer& writer) -> Result<void> {
        auto stored = writer.end_root_change(row.id);
        if (!stored) return std::unexpected(stored.error());
        if (change.keep) {
            auto kept = writer.finish_snapshot(*change.keep, std::nullopt);
            if (!kept && kept.error().code != Errc::conflict) return std::unexpected(kept.error());
        }
        if (!change.failed.empty())
            if (auto ended = end_upgrades(writer, row, upgrade_failed(change), clock_.utc()); !ended) return ended;
        const nlohmann::json data{{"id", row.id.value}, {"snapshot", change.name}};
        return append(writer, row.name.text(), {}, {.type = "jail.root_changed", .data = text_of(data)});
    });
}

Result<void> Journal::upgrade_went_on(const model::Jail& row, model::RootStage stage) {
    const auto& change = row.root_change.value();
    return store_.write([&](Writer& writer) -> Result<void> {
        auto stored = writer.go_on_with_root(row.id, stage);
        if (!stored) return std::unexpected(stored.error());
        auto kept = writer.finish_snapshot(change.from, std::nullopt);
        if (!kept && kept.error().code != Errc::conflict) return std::unexpected(kept.error());
        return {};
    });
}

Result<void> Journal::upgrade_done(const model::Jail& row) {
    return store_.write([&](Writer& writer) -> Result<void> {
        auto stored = writer.end_root_change(row.id);
        if (!stored) return std::unexpected(stored.error());
        const nlohmann::json data{{"id", row.id.value}, {"template", row.spec.template_name}};
        return append(writer, row.name.text(), {}, {.type = "jail.root_changed", .data = text_of(data)});
    });
}

Result<void> Journal::take_back_upgrade(const model::Jail& row, const Failure& failure) {
    const auto& change = row.root_change.value();
    return store_.write([&](Writer& writer) -> Result<void> {
        auto from = writer.find_snapshot(change.from);
        if (!from) return std::unexpected(from.error());
        auto kept = writer.insert_snapshot(
            {.id = {},
             .jail = row.id,
             .jail_name = {},
             .name = fmt::format("failed-{}-{}", model::snapshot_name_of(clock_.utc()), change.from.value),
             .reason = model::SnapshotReason::restore,
             .description = "what the root was after an upgrade that was taken back",
             .template_name = row.spec.template_name,
             .base = row.base ? row.base->id : TemplateId{},
             .size = {}});
        if (!kept) return std::unexpected(kept.error());
        auto stored = writer.change_root(row.id,
                                         {.from = from->id,
                                          .name = from->reference(),
                                          .from_jail = row.id,
                                          .keep = kept->id,
                                          .failed = failure.step + ": " + failure.error.detail},
                                         *from);
        if (!stored) return std::unexpected(stored.error());
        const nlohmann::json data{
            {"id", row.id.value}, {"snapshot", from->reference()}, {"code", failure.error.name()}};
        return append(writer, row.name.text(), {}, {.type = "jail.upgrade_failed", .data = text_of(data)});
    });
}

Result<void> Journal::root_change_failed(const model::Jail& row, const Failure& failure) {
    const auto& change = row.root_change.value();
    return store_.write([&](Writer& writer) -> Result<void> {
        auto operations = operations_of(writer, row);
        if (!operations) return std::unexpected(operations.error());
        auto problem = model::to_problem(failure.error);
        problem.detail = failure.step + ": " + problem.detail;
        for (auto& operation : *operations) {
            if (operation.kind != kRestore && operation.kind != kUpgrade) continue;
            auto ended = jobs::end_operation(writer, operation, OperationState::failed, problem, {}, clock_.utc());
            if (!ended) return ended;
        }
        auto stored = writer.undo_root_change(row.id);
        if (!stored) return std::unexpected(stored.error());
        const nlohmann::json data{{"id", row.id.value}, {"snapshot", change.name}, {"code", failure.error.name()}};
        return append(writer, row.name.text(), {}, {.type = "jail.root_kept", .data = text_of(data)});
    });
}

Result<void> Journal::removed(const model::Jail& row, const std::vector<std::string>& progress) {
    return store_.write([&](Writer& writer) -> Result<void> {
        auto running = writer.running_operations(row.id);
        if (!running) return std::unexpected(running.error());
        if (auto deleted = writer.delete_jail(row.id); !deleted) return deleted;
        const nlohmann::json data{{"id", row.id.value}};
        if (auto told = append(writer, row.name.text(), {}, {.type = "jail.removed", .data = data.dump()}); !told)
            return told;
        for (auto& operation : *running) {
            const bool removal = operation.kind == kRemove;
            auto ended =
                jobs::end_operation(writer, operation, removal ? OperationState::succeeded : OperationState::cancelled,
                                    std::nullopt, removal ? progress : operation.steps, clock_.utc());
            if (!ended) return ended;
        }
        return {};
    });
}

Result<void> Journal::note(const std::string& jail, const Note& note) {
    return store_.write([&](Writer& writer) { return append(writer, jail, {}, note); });
}

bool is_permanent(const Error& error) {
    switch (error.code) {
        case Errc::invalid:
        case Errc::conflict:
        case Errc::unsupported:
        case Errc::denied:
        case Errc::corrupt:
            return true;
        case Errc::not_found:
        case Errc::stale:
        case Errc::busy:
        case Errc::exhausted:
        case Errc::kernel:
            return false;
    }
    return false;
}

}  // namespace jaild::reconcile
