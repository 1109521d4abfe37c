#pragma once

#include <span>
#include <string_view>

#include "core/base/error.h"
#include "core/store/connection.h"

namespace jaild::store {

/// From schema version `to - 1` to `to`. Never changed once released: a new version is a new entry.
struct Migration {
    int to;
    std::string_view sql;
};

std::span<const Migration> migrations();

/// PRAGMA user_version.
Result<int> schema_version(Connection& connection);
/// Errc::unsupported "database_newer" when the database is beyond the last of `known`.
Result<void> check_not_newer(Connection& connection, std::span<const Migration> known);
/// Brings the schema to the last of `known`, each step in a transaction of its own: a crash or failure between two
/// leaves the version that was reached.
Result<void> migrate(Connection& connection, std::span<const Migration> known);

}  // namespace jaild::store
