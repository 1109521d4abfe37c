#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/model/operation.h"
#include "core/store/connection.h"

namespace jaild::store::operations {

/// Errc::not_found "operation_not_found": never was, or was pruned.
Result<model::Operation> find(Connection& connection, const std::string& id);
Result<std::vector<model::Operation>> running(Connection& connection, JailId jail);
Result<std::vector<model::Operation>> running(Connection& connection, TemplateId id);
Result<std::vector<model::Operation>> running(Connection& connection, SnapshotId id);
Result<std::vector<model::Operation>> running_of_snapshots(Connection& connection);
Result<model::Operation> insert(Connection& connection, const model::Operation& operation, UtcTime now,
                                std::size_t keep);
Result<void> update(Connection& connection, const model::Operation& operation, UtcTime now);

}  // namespace jaild::store::operations
