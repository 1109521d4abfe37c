#include "core/store/connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "core/store/sqlite_error.h"

namespace jaild::store {
namespace {

constexpr int kBusyMilliseconds = 5'000;  // somebody's sqlite3(1) on the same file; our own connections never collide

int open_flags(Connection::Mode mode) {
    // NOMUTEX: one thread at a time uses a connection. EXRESCODE: extended codes without asking for them.
    const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    switch (mode) {
        case Connection::Mode::write:
            return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW;
        case Connection::Mode::read_only:
            return common | SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW;
        case Connection::Mode::memory:
            return common | SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY;
    }
    return common;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path, Mode mode) {
    sqlite3* database = nullptr;
    const std::string name = mode == Mode::memory ? ":memory:" : path.string();
    const int code = sqlite3_open_v2(name.c_str(), &database, open_flags(mode), nullptr);
    // sqlite3_open_v2 hands out a handle even when it fails; it carries the message and must be closed.
    std::unique_ptr<Connection> connection(new Connection(database));
    if (code != SQLITE_OK) return std::unexpected(sqlite_error("sqlite3_open_v2", database, code));
    if (auto configured = connection->configure(mode); !configured) return std::unexpected(configured.error());
    return connection;
}

Result<void> Connection::configure(Mode mode) {
    // First of all: should any of the following fail, closing must not change the file.
    if (mode == Mode::write) on_close(OnClose::leave_log);
    sqlite3_busy_timeout(database_, kBusyMilliseconds);
    sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(database_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(database_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    // The writer checkpoints by its own count; registering a hook also ends SQLite's automatic checkpoints.
    sqlite3_wal_hook(
        database_,
        [](void* self, sqlite3*, const char*, int pages) {
            static_cast<Connection*>(self)->wal_pages_ = pages;
            return SQLITE_OK;
        },
        this);
    // None of these changes the file. secure_delete: what was a secret must not stay in free pages.
    return script(fmt::format(
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL;"
        "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; PRAGMA query_only={};",
        mode == Mode::read_only ? "ON" : "OFF"));
}

void Connection::watch(std::function<void(std::string_view table)> watcher) {
    watcher_ = std::move(watcher);
    sqlite3_update_hook(
        database_,
        [](void* self, int, const char*, const char* table, sqlite3_int64) {
            static_cast<Connection*>(self)->watcher_(table);
        },
        this);
}

Connection::~Connection() {
    for (auto& [sql, handle] : cache_) sqlite3_finalize(handle);
    sqlite3_close_v2(database_);
}

Statement Connection::borrow(std::string_view sql) {
    if (auto found = cache_.find(sql); found != cache_.end()) {
        sqlite3_stmt* handle = found->second;
        cache_.erase(found);
        return Statement(*this, handle);
    }
    sqlite3_stmt* handle = nullptr;
    const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &handle, nullptr);
    if (code != SQLITE_OK) return Statement(sqlite_error("sqlite3_prepare_v3", database_, code));
    return Statement(*this, handle);
}

void Connection::give_back(sqlite3_stmt* handle) {
    sqlite3_reset(handle);  // its result repeats the error that step() has already reported
    sqlite3_clear_bindings(handle);
    // Two of the same text can be lent at once; one of them is kept.
    if (!cache_.emplace(sqlite3_sql(handle), handle).second) sqlite3_finalize(handle);
}

Result<void> Connection::finish(Statement statement) {
    for (;;) {
        auto more = statement.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
    }
}

Result<void> Connection::script(const std::string& sql) {
    const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return std::unexpected(sqlite_error("sqlite3_exec", database_, code));
    return {};
}

std::int64_t Connection::last_insert_id() const {
    return sqlite3_last_insert_rowid(database_);
}
std::int64_t Connection::changes() const {
    return sqlite3_changes64(database_);
}
bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(database_) == 0;
}

Result<void> Connection::checkpoint(Checkpoint kind) {
    const int mode = kind == Checkpoint::passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
    const int code = sqlite3_wal_checkpoint_v2(database_, nullptr, mode, nullptr, nullptr);
    if (code != SQLITE_OK) return std::unexpected(sqlite_error("sqlite3_wal_checkpoint_v2", database_, code));
    return {};
}

void Connection::on_close(OnClose what) {
    sqlite3_db_config(database_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, what == OnClose::leave_log ? 1 : 0, nullptr);
}

}  // namespace jaild::store
