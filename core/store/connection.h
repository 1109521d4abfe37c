#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/store/statement.h"

struct sqlite3;

namespace jaild::store {

/// One connection to the database, with its cache of prepared statements. Used by one thread at a time.
class Connection {
public:
    enum class Mode { write, read_only, memory };
    /// The file must exist (but with Mode::memory, which takes no path). Reads and writes nothing yet.
    static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path, Mode mode);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// `sql`: one statement, always a literal: each distinct text stays in the cache.
    template <class... Values>
    Statement prepare(std::string_view sql, const Values&... values) {
        Statement statement = borrow(sql);
        int position = 0;
        (statement.bind(++position, values), ...);
        return statement;
    }
    /// Runs one statement to its end.
    template <class... Values>
    Result<void> run(std::string_view sql, const Values&... values) {
        return finish(prepare(sql, values...));
    }
    /// Several statements without values, uncached: schema changes and pragmas.
    Result<void> script(const std::string& sql);

    [[nodiscard]] std::int64_t last_insert_id() const;
    /// Told the table of each row that this connection inserts, changes or deletes, of those that have rowids; also of
    /// what is undone later. Must not use the connection.
    void watch(std::function<void(std::string_view table)> watcher);
    /// Rows changed by the last INSERT, UPDATE or DELETE.
    [[nodiscard]] std::int64_t changes() const;
    /// Also false after an error that made SQLite roll back by itself (full disk, I/O error).
    [[nodiscard]] bool in_transaction() const;

    enum class Checkpoint { passive, truncate };
    Result<void> checkpoint(Checkpoint kind);
    /// Pages in the write-ahead log after this connection's last COMMIT.
    [[nodiscard]] int wal_pages() const { return wal_pages_; }

    enum class OnClose { checkpoint, leave_log };
    /// Whether this connection, when it is the last to close, copies the log into the database file (and so changes
    /// it) and removes it. A new one leaves the log, until its database was accepted.
    void on_close(OnClose what);

private:
    friend class Statement;
    explicit Connection(sqlite3* database) : database_(database) {}
    Result<void> configure(Mode mode);
    Statement borrow(std::string_view sql);
    void give_back(sqlite3_stmt* handle);
    static Result<void> finish(Statement statement);

    sqlite3* database_;
    std::map<std::string, sqlite3_stmt*, std::less<>> cache_;  ///< those not lent out
    int wal_pages_ = 0;
    std::function<void(std::string_view)> watcher_;
};

/// Runs `work` (Result<T>()) in a savepoint of the open transaction: an Error undoes what it did. When SQLite has
/// rolled the whole transaction back, or must be made to, in_transaction() is false afterwards.
template <class F>
auto in_savepoint(Connection& connection, F&& work) -> decltype(work()) {
    if (auto begun = connection.run("SAVEPOINT work"); !begun) return std::unexpected(begun.error());
    auto result = work();
    if (result) {
        auto kept = connection.run("RELEASE work");
        if (kept) return result;
        result = std::unexpected(kept.error());
    }
    if (!connection.in_transaction()) return result;
    auto undone = connection.run("ROLLBACK TO work");
    if (undone) undone = connection.run("RELEASE work");
    if (!undone) (void)connection.run("ROLLBACK");  // what cannot be undone in part is undone whole
    return result;
}

}  // namespace jaild::store
