#include "core/model/operation.h"

#include <nlohmann/json.hpp>

namespace jaild::model {

using nlohmann::json;

namespace {

json text_or_null(const std::string& text) {
    return text.empty() ? json() : json(text);
}

json to_json(const Problem& problem) {
    return {{"code", problem.code},
            {"detail", problem.detail},
            {"field", text_or_null(problem.field)},
            {"remedy", text_or_null(problem.remedy)},
            {"errno", problem.sys == 0 ? json() : json(problem.sys)}};
}

json to_json(const Progress& progress) {
    return {{"phase", progress.phase}, {"item", progress.item},
            {"done", progress.done},   {"total", progress.total == 0 ? json() : json(progress.total)},
            {"bytes", progress.bytes}, {"entries", progress.entries}};
}

}  // namespace

std::string_view to_string(OperationState state) {
    switch (state) {
        case OperationState::running:
            return "running";
        case OperationState::succeeded:
            return "succeeded";
        case OperationState::failed:
            return "failed";
        case OperationState::cancelled:
            return "cancelled";
    }
    return "unknown";
}

Errc parse_problem_kind(std::string_view word) {
    using enum Errc;
    for (const auto kind : {invalid, not_found, conflict, stale, busy, exhausted, denied, unsupported, corrupt})
        if (to_string(kind) == word) return kind;
    return kernel;
}

Problem to_problem(const Error& error) {
    return Problem{.kind = error.code,
                   .code = std::string(error.name()),
                   .detail = error.detail,
                   .field = error.field,
                   .remedy = error.remedy,
                   .sys = error.sys};
}

json to_json(const Operation& operation) {
    return {{"id", operation.id},
            {"kind", operation.kind},
            {"jail", text_or_null(operation.jail_name)},
            {"template", text_or_null(operation.template_name)},
            {"snapshot", text_or_null(operation.snapshot_name)},
            {"generation", operation.generation},
            {"state", to_string(operation.state)},
            {"steps", operation.steps},
            {"progress", operation.progress ? to_json(*operation.progress) : json()},
            {"problem", operation.problem ? to_json(*operation.problem) : json()},
            {"created_at", operation.created_at.to_string()},
            {"finished_at", operation.finished_at ? json(operation.finished_at->to_string()) : json()}};
}

json to_json(const Event& event) {
    auto data = json::parse(event.data, nullptr, false);
    if (!data.is_object()) data = json::object();
    return {{"seq", event.seq.value},
            {"at", event.at.to_string()},
            {"type", event.type},
            {"jail", text_or_null(event.jail)},
            {"operation", text_or_null(event.operation)},
            {"data", std::move(data)}};
}

}  // namespace jaild::model
