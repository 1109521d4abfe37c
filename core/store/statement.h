#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

struct sqlite3_stmt;

namespace jaild::store {

class Connection;

/// Bytes for a BLOB column; not owned.
struct BlobView {
    const void* data;
    std::size_t size;
};

/// A prepared statement, borrowed from its connection's cache and given back, reset, by the destructor. Must not
/// outlive the connection. A prepare or bind that failed is reported by the first step(): so that each use has one
/// place to check.
class Statement {
public:
    Statement(Connection& owner, sqlite3_stmt* handle) : owner_(&owner), handle_(handle) {}
    explicit Statement(Error failed) : failed_(std::move(failed)) {}
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    // Positions count from 1, as in SQL's ?1. Text and bytes are copied.
    void bind(int position, std::int64_t value);
    void bind(int position, std::string_view value);
    void bind(int position, BlobView value);
    void bind(int position, std::nullopt_t);
    template <class T>
    void bind(int position, const std::optional<T>& value) {
        if (value) {
            bind(position, *value);
        } else {
            bind(position, std::nullopt);
        }
    }

    /// True: a row is there to be read. False: the end.
    Result<bool> step();

    // Columns count from 0. A NULL reads as 0 or "".
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::string blob(int column) const;
    [[nodiscard]] bool null(int column) const;
    enum class Type { null, integer, text, blob };
    [[nodiscard]] Type type(int column) const;
    [[nodiscard]] int columns() const;
    [[nodiscard]] std::string name(int column) const;

private:
    void check_bind(int code);

    Connection* owner_ = nullptr;
    sqlite3_stmt* handle_ = nullptr;
    std::optional<Error> failed_;
};

/// All rows, each read by `row`: Result<T>(const Statement&). Ends at the first that cannot be read.
template <class T, class F>
Result<std::vector<T>> all_rows(Statement statement, F&& row) {
    std::vector<T> rows;
    for (;;) {
        auto more = statement.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) return rows;
        Result<T> value = row(statement);
        if (!value) return std::unexpected(value.error());
        rows.push_back(*std::move(value));
    }
}

/// The first row, or nothing.
template <class T, class F>
Result<std::optional<T>> first_row(Statement statement, F&& row) {
    auto more = statement.step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::optional<T>{};
    Result<T> value = row(statement);
    if (!value) return std::unexpected(value.error());
    return std::optional<T>{*std::move(value)};
}

/// The first column of the first row; nothing when there is no row.
Result<std::optional<std::int64_t>> first_integer(Statement statement);
Result<std::optional<std::string>> first_text(Statement statement);

}  // namespace jaild::store
