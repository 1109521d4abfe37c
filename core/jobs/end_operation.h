#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/model/operation.h"
#include "core/store/writer.h"

namespace jaild::jobs {

/// The operation has ended so: its row, and the event "operation.finished". Within the transaction.
Result<void> end_operation(store::Writer& writer, model::Operation operation, model::OperationState state,
                           std::optional<model::Problem> problem, const std::vector<std::string>& steps, UtcTime now);

}  // namespace jaild::jobs
