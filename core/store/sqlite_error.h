#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

struct sqlite3;

namespace jaild::store {

/// What SQLite's last failed call on `database` means to our callers. `code` is its (extended) result code; `op` a
/// literal. SQLITE_FULL and a write that the file system refused for want of room: Errc::exhausted "disk_full"; CORRUPT
/// and NOTADB: Errc::corrupt "database_corrupt"; BUSY: Errc::busy; IOERR: Errc::kernel with its errno. `last_errno`: as
/// the call left it, for where SQLite itself keeps none (a COMMIT that fails).
Error sqlite_error(std::string_view op, sqlite3* database, int code, int last_errno = 0);

/// Data of ours that cannot be trusted, with what a person can do about it.
Error corrupt(std::string_view op, std::string detail);

}  // namespace jaild::store
