#pragma once

#include <vector>

#include "core/model/jail.h"
#include "core/model/snapshot.h"
#include "core/store/connection.h"

/// Reader's and Writer's functions on snapshots.
namespace jaild::store::snapshots {

Result<model::Snapshot> find(Connection& connection, SnapshotId id);
Result<model::Snapshot> find(Connection& connection, JailId jail, const std::string& name);
/// By id.
Result<std::vector<model::Snapshot>> of_jail(Connection& connection, JailId jail);
Result<std::vector<model::Snapshot>> all(Connection& connection);

Result<model::Snapshot> insert(Connection& connection, const model::Snapshot& value, UtcTime now);
Result<model::Snapshot> finish(Connection& connection, SnapshotId id, const std::optional<model::SnapshotSize>& size);
Result<model::Snapshot> mark_removing(Connection& connection, SnapshotId id);
Result<void> erase(Connection& connection, SnapshotId id);

/// "web@before" of all whose root was made from that template.
Result<std::vector<std::string>> of_template(Connection& connection, TemplateId id);
/// Errc::conflict "snapshot_in_use" while another jail's root is to be made from one of this jail's.
Result<void> check_free(Connection& connection, JailId jail);

}  // namespace jaild::store::snapshots
