#pragma once

#include <filesystem>
#include <string>

#include "core/base/error.h"
#include "core/store/backup.h"
#include "core/store/store.h"

/// What is done with a state directory while no daemon runs on it. Blocking.
namespace jaild::daemon {

struct Rescue {
    std::string backup{};  ///< restore from this file; "-": standard input
    bool recover = false;  ///< from records
    bool force = false;    ///< keep a database that is there beside, under another name
    [[nodiscard]] bool wanted() const { return recover || !backup.empty(); }
};

/// Says on standard error what was done. Errors as store::restore(), store::recover().
Result<void> rescue(const Rescue& wanted, const std::filesystem::path& state, const std::string& identity, bool claim);

/// Without its database a daemon would take all that lies in this state directory for nobody's. Errc::conflict
/// "database_missing" when there are jails or templates and no database, or an empty file.
Result<void> check_not_lost(const std::filesystem::path& state);
/// The same when the database is one that no daemon has served yet.
Result<void> check_not_lost(const std::filesystem::path& state, store::Store& store);

/// The highest ids of what lies in a state directory.
store::UsedIds ids_in(const std::filesystem::path& state);

}  // namespace jaild::daemon
