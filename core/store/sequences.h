#pragma once

#include "core/store/backup.h"
#include "core/store/connection.h"

/// The highest ids that were ever given, of tables with AUTOINCREMENT.
namespace jaild::store {

Result<UsedIds> sequences(Connection& connection);
/// The next ids are well beyond the database's own and `used`: what was given and is not known stays somebody's, and
/// an event's id, which clients remember, is never that of another one.
Result<void> raise_sequences(Connection& connection, const UsedIds& used);

}  // namespace jaild::store
