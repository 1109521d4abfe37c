#include "core/store/sqlite_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <filesystem>

#include "core/base/disk_full.h"

namespace jaild::store {
namespace {

// A full disk does not always arrive as SQLITE_FULL: EDQUOT (a ZFS dataset's quota) and EFBIG come as
// SQLITE_IOERR_WRITE, unixWrite() in SQLite's os_unix.c knows only ENOSPC.
bool no_room(int sys) {
    return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}

Error disk_full(std::string_view op, int sys, std::string detail, sqlite3* database) {
    const char* const file = database ? sqlite3_db_filename(database, "main") : nullptr;
    return as_disk_full({.op = op, .sys = sys, .detail = std::move(detail)},
                        std::filesystem::path(file ? file : "").parent_path());
}

}  // namespace

Error corrupt(std::string_view op, std::string detail) {
    return Error{.code = Errc::corrupt,
                 .op = op,
                 .detail = std::move(detail),
                 .reason = "database_corrupt",
                 .remedy =
                     "stop jaild, move the database and its -wal and -shm files away together, put a copy of the "
                     "database in its place and start jaild again; no jail is touched meanwhile"};
}

Error sqlite_error(std::string_view op, sqlite3* database, int code, int last_errno) {
    const int kept = database ? sqlite3_system_errno(database) : 0;
    const int sys = kept != 0 ? kept : last_errno;
    const char* said = database ? sqlite3_errmsg(database) : sqlite3_errstr(code);
    auto detail = fmt::format("database: {} (SQLite code {})", said, code);
    switch (code & 0xff) {  // the primary code, https://www.sqlite.org/rescode.html
        case SQLITE_FULL:
            return disk_full(op, sys, std::move(detail), database);
        case SQLITE_IOERR:
            if (no_room(sys)) return disk_full(op, sys, std::move(detail), database);
            return Error{.code = Errc::kernel, .op = op, .sys = sys, .detail = std::move(detail)};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return corrupt(op, std::move(detail));
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Error{.code = Errc::busy,
                         .op = op,
                         .detail = std::move(detail),
                         .reason = "database_busy",
                         .remedy = "another program has the database open and locked: end it"};
        case SQLITE_CONSTRAINT:
            return Error{.code = Errc::conflict, .op = op, .detail = std::move(detail)};
        case SQLITE_NOMEM:
        case SQLITE_TOOBIG:
            return Error{.code = Errc::exhausted, .op = op, .detail = std::move(detail)};
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH:
            return Error{.code = Errc::denied, .op = op, .sys = sys, .detail = std::move(detail)};
        default:
            return Error{.code = Errc::kernel, .op = op, .sys = sys, .detail = std::move(detail)};
    }
}

}  // namespace jaild::store
