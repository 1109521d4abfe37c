#pragma once

#include <vector>

#include "core/base/clock.h"
#include "core/model/pool.h"
#include "core/store/connection.h"

/// Reader's and Writer's functions on pools of jails.
namespace jaild::store::pools {

Result<std::vector<model::Pool>> all(Connection& connection);
Result<model::Pool> find(Connection& connection, const model::Name& name);
Result<model::Pool> insert(Connection& connection, const model::NamedPoolSpec& pool, UtcTime now);
Result<model::Pool> update(Connection& connection, PoolId id, const model::PoolSpec& spec);
Result<void> erase(Connection& connection, PoolId id);
/// The jail belongs to it from now on.
Result<void> put(Connection& connection, JailId jail, const model::Pool& pool);
/// And does not any more; its ttl begins.
Result<void> take(Connection& connection, JailId jail, const Clock::Moment& now);

}  // namespace jaild::store::pools
