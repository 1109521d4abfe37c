#include "core/store/statement.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "core/store/connection.h"
#include "core/store/sqlite_error.h"

namespace jaild::store {

Statement::Statement(Statement&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      handle_(std::exchange(other.handle_, nullptr)),
      failed_(std::move(other.failed_)) {}

Statement::~Statement() {
    if (handle_) owner_->give_back(handle_);
}

void Statement::check_bind(int code) {
    if (code != SQLITE_OK && !failed_) failed_ = sqlite_error("sqlite3_bind", sqlite3_db_handle(handle_), code);
}

void Statement::bind(int position, std::int64_t value) {
    if (handle_) check_bind(sqlite3_bind_int64(handle_, position, value));
}

void Statement::bind(int position, std::string_view value) {
    // A null pointer would bind NULL, and an empty string_view may have one.
    const char* data = value.empty() ? "" : value.data();
    if (handle_) check_bind(sqlite3_bind_text64(handle_, position, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind(int position, BlobView value) {
    if (handle_) check_bind(sqlite3_bind_blob64(handle_, position, value.data, value.size, SQLITE_TRANSIENT));
}

void Statement::bind(int position, std::nullopt_t) {
    if (handle_) check_bind(sqlite3_bind_null(handle_, position));
}

Result<bool> Statement::step() {
    if (failed_) return std::unexpected(*failed_);
    errno = 0;
    const int code = sqlite3_step(handle_);
    const int last_errno = errno;
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return std::unexpected(sqlite_error("sqlite3_step", sqlite3_db_handle(handle_), code, last_errno));
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_, column);
}

std::string Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))) : std::string();
}

std::string Statement::blob(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
    return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))) : std::string();
}

Statement::Type Statement::type(int column) const {
    switch (sqlite3_column_type(handle_, column)) {
        case SQLITE_INTEGER:
            return Type::integer;
        case SQLITE_TEXT:
            return Type::text;
        case SQLITE_BLOB:
            return Type::blob;
        default:
            return Type::null;
    }
}

int Statement::columns() const {
    return sqlite3_column_count(handle_);
}

std::string Statement::name(int column) const {
    const char* name = sqlite3_column_name(handle_, column);
    return name ? name : "";
}

bool Statement::null(int column) const {
    return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Result<std::optional<std::int64_t>> first_integer(Statement statement) {
    return first_row<std::int64_t>(std::move(statement),
                                   [](const Statement& row) -> Result<std::int64_t> { return row.integer(0); });
}

Result<std::optional<std::string>> first_text(Statement statement) {
    return first_row<std::string>(std::move(statement),
                                  [](const Statement& row) -> Result<std::string> { return row.text(0); });
}

}  // namespace jaild::store
