#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// The whole database as one file, and back. Blocking.
namespace jaild::store {

/// A copy of the database as it is at this moment, open for reading and without a name; it holds secrets. Writers go
/// on meanwhile. Errc::exhausted "disk_full": it needs as much room in the state directory as the database.
Result<UniqueFd> back_up(const std::filesystem::path& database);
/// What a daemon that was killed left of that. Never fails: it is only room.
void clear_backups(const std::filesystem::path& database);

/// Ids that name something outside the database, the highest that is known of each table: they are never given twice.
using UsedIds = std::map<std::string, std::int64_t, std::less<>>;

/// What becomes of a database that is there already.
enum class Existing { refuse, keep_beside };

struct RestoreOptions {
    std::filesystem::path database;  ///< "<state>/jaild.db"
    int source = -1;                 ///< a backup, to be read to its end
    std::string host_identity;       ///< as StoreOptions
    bool claim = false;              ///< as StoreOptions
    Existing existing = Existing::refuse;
    UsedIds used{};  ///< what lies in the state directory
};

struct Restored {
    std::filesystem::path kept{};  ///< what the database is now that was there before; empty: there was none
    std::size_t jails = 0;
    std::size_t networks = 0;
};

/// A backup becomes the database of a daemon that does not run (Errc::conflict "state_in_use"). It is checked whole
/// first: errors as Store::open's, and Errc::conflict "database_exists". Nothing is changed with an Error. Ids go on
/// well beyond those of the backup, of what was there and of `used`: what was made since keeps its own.
Result<Restored> restore(const RestoreOptions& options);

/// Puts a checked database, whose file is closed, in the place of the one that is there; that keeps its content under
/// the name that is answered, or empty. The state lock is held. A crash in between leaves no database under its name.
Result<std::filesystem::path> put_in_place(const std::filesystem::path& made, const std::filesystem::path& database);
/// Errc::conflict "database_exists" when there is one that must stay.
Result<void> check_none(const std::filesystem::path& database, Existing existing, std::string_view option);
/// The highest ids that a database has ever given, as far as it can be read.
UsedIds ids_of(const std::filesystem::path& database);

}  // namespace jaild::store
