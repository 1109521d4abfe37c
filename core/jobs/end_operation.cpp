#include "core/jobs/end_operation.h"

#include <nlohmann/json.hpp>

namespace jaild::jobs {

Result<void> end_operation(store::Writer& writer, model::Operation operation, model::OperationState state,
                           std::optional<model::Problem> problem, const std::vector<std::string>& steps, UtcTime now) {
    operation.state = state;
    operation.problem = std::move(problem);
    operation.steps = steps;
    operation.finished_at = now;
    if (auto updated = writer.update_operation(operation); !updated) return updated;

    nlohmann::json data{{"kind", operation.kind}, {"state", model::to_string(state)}};
    if (!operation.template_name.empty()) data["template"] = operation.template_name;
    if (!operation.snapshot_name.empty()) data["snapshot"] = operation.snapshot_name;
    if (operation.problem) data["code"] = operation.problem->code;
    auto event = writer.append_event("operation.finished", operation.jail_name, operation.id, data.dump());
    if (!event) return std::unexpected(event.error());
    return {};
}

}  // namespace jaild::jobs
