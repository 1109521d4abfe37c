#pragma once

#include <filesystem>
#include <string_view>

#include "core/base/unique_fd.h"

namespace jaild::store {

/// "jaild.db" and "-wal" make "jaild.db-wal".
std::filesystem::path with_ending(const std::filesystem::path& path, std::string_view ending);

/// A database on its way: removed with the files that SQLite makes for it, before and afterwards, unless it was renamed
/// meanwhile. Blocking.
class TemporaryDatabase {
public:
    explicit TemporaryDatabase(std::filesystem::path path) : path_(std::move(path)) { remove(); }
    TemporaryDatabase(const TemporaryDatabase&) = delete;
    TemporaryDatabase& operator=(const TemporaryDatabase&) = delete;
    ~TemporaryDatabase() { remove(); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// An empty file, 0600, before SQLite would make one that others can read. Errno says why not.
    [[nodiscard]] UniqueFd create() const;

private:
    void remove() const;
    std::filesystem::path path_;
};

}  // namespace jaild::store
