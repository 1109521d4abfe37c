#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/error.h"

/// The database as a file, looked at before SQLite may touch it: opening somebody else's database could already change
/// it (a hot journal is rolled back, a log is copied).
namespace jaild::store {

/// PRAGMA application_id of our databases: "jail" in ASCII.
inline constexpr std::int32_t kApplicationId = 0x6a61696c;

enum class DatabaseFile { fresh, existing };

/// Makes an empty file of mode 0600 when there is none; otherwise checks that it is a regular file, no symbolic link,
/// ours by owner (Errc::denied "database_not_ours") and by its application id (Errc::corrupt "database_corrupt"), and
/// takes away others' access. Its content is not changed.
Result<DatabaseFile> prepare_database_file(const std::filesystem::path& path);

/// Whether commits may be waiting in the write-ahead log beside it.
bool has_log(const std::filesystem::path& path);

}  // namespace jaild::store
