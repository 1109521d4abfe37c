#pragma once

#include <vector>

#include "core/base/clock.h"
#include "core/model/jail.h"
#include "core/store/connection.h"
#include "core/store/store.h"

/// The desired state: Reader's and Writer's functions on jails. A jail comes with its stored parts and addresses.
namespace jaild::store::jails {

Result<model::Jail> find(Connection& connection, JailId id);
Result<model::Jail> find(Connection& connection, const model::Name& name);
Result<std::vector<model::Jail>> list(Connection& connection, const JailFilter& filter);
Result<std::vector<model::Jail>> all(Connection& connection);

Result<model::Jail> insert(Connection& connection, const model::NamedSpec& spec, const Clock::Moment& now);
Result<model::Jail> update(Connection& connection, JailId id, const model::JailSpec& spec, const Clock::Moment& now);
Result<model::Jail> request_restart(Connection& connection, JailId id);
Result<model::Jail> change_root(Connection& connection, JailId id, const model::RootChange& change,
                                const model::Snapshot& from);
Result<model::Jail> begin_upgrade(Connection& connection, JailId id, const model::RootChange& change,
                                  const model::Template& to);
Result<model::Jail> begin_unpack(Connection& connection, JailId id);
Result<model::Jail> go_on_with_root(Connection& connection, JailId id, model::RootStage stage);
Result<model::Jail> end_root_change(Connection& connection, JailId id);
Result<model::Jail> undo_root_change(Connection& connection, JailId id);
Result<model::Jail> mark_removing(Connection& connection, JailId id);
Result<std::vector<model::Jail>> begin_boot(Connection& connection, const std::string& boot, const Clock::Moment& now);
Result<void> erase(Connection& connection, JailId id);

}  // namespace jaild::store::jails
