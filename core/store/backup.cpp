#include "core/store/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "core/base/files.h"
#include "core/base/random.h"
#include "core/store/database_file.h"
#include "core/store/opening.h"
#include "core/store/sequences.h"
#include "core/store/sqlite_error.h"
#include "core/store/state_lock.h"
#include "core/store/temporary_database.h"

namespace jaild::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBackupBlock = 256 * 1024;
constexpr std::string_view kBackupName = ".backup-";

Result<void> copy_backup(int from, int to) {
    std::string block(kBackupBlock, '\0');
    bool nothing = true;
    for (;;) {
        const auto count = ::read(from, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::unexpected(Error::from_errno("read", errno, "reading the backup"));
        if (count == 0) break;
        nothing = false;
        for (std::size_t done = 0; done < static_cast<std::size_t>(count);) {
            const auto written = ::write(to, block.data() + done, static_cast<std::size_t>(count) - done);
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return std::unexpected(Error::from_errno("write", errno, "copying the backup"));
            done += static_cast<std::size_t>(written);
        }
    }
    // SQLite would take it for a new database.
    if (nothing) return std::unexpected(corrupt("restore", "the backup is empty"));
    if (::fsync(to) != 0) return std::unexpected(Error::from_errno("fsync", errno, "copying the backup"));
    return {};
}

/// Slower than the check at each start: this one compares indexes with their tables too.
Result<void> check_whole(Connection& connection) {
    auto verdict = first_text(connection.prepare("PRAGMA integrity_check(1)"));
    if (!verdict) return std::unexpected(verdict.error());
    if (*verdict == "ok") return {};
    return std::unexpected(corrupt("restore", "the backup is damaged: " + verdict->value_or("no verdict")));
}

Result<std::size_t> count_rows(Connection& connection, std::string_view sql) {
    auto number = first_integer(connection.prepare(sql));
    if (!number) return std::unexpected(number.error());
    return static_cast<std::size_t>(number->value_or(0));
}

Result<Restored> accept_backup(const fs::path& path, const RestoreOptions& options) {
    auto opened = open_file(path, {.path = path, .host_identity = options.host_identity, .claim = options.claim});
    if (!opened) return std::unexpected(opened.error());
    auto& connection = *opened->connection;
    if (auto whole = check_whole(connection); !whole) return std::unexpected(whole.error());
    if (auto raised = raise_sequences(connection, options.used); !raised) return std::unexpected(raised.error());
    auto jails = count_rows(connection, "SELECT count(*) FROM jails");
    if (!jails) return std::unexpected(jails.error());
    auto networks = count_rows(connection, "SELECT count(*) FROM networks");
    if (!networks) return std::unexpected(networks.error());
    // All of it is in the one file that is put in place.
    if (auto done = connection.checkpoint(Connection::Checkpoint::truncate); !done)
        return std::unexpected(done.error());
    return Restored{.jails = *jails, .networks = *networks};
}

Result<void> sync_directory(const fs::path& directory) {
    const auto held = files::open_directory(directory);
    if (!held) return std::unexpected(held.error());
    if (::fsync(held->get()) != 0) return std::unexpected(Error::from_errno("fsync", errno, directory.string()));
    return {};
}

Result<void> rename_file(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
    return std::unexpected(Error::from_errno("rename", errno, fmt::format("{} to {}", from.string(), to.string())));
}

/// A name that nothing has: "jaild.db.before-20261123T101500Z".
fs::path name_beside(const fs::path& database) {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    const auto stamp = fmt::format(".before-{:04}{:02}{:02}T{:02}{:02}{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                                   utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    std::error_code ignored;
    for (int number = 1;; ++number) {
        const auto path = with_ending(database, number == 1 ? stamp : fmt::format("{}-{}", stamp, number));
        if (!fs::exists(path, ignored)) return path;
    }
}

}  // namespace

Result<UniqueFd> back_up(const fs::path& database) {
    const TemporaryDatabase temporary(with_ending(database, fmt::format("{}{}", kBackupName, random_hex(8))));
    // Before SQLite would make it, readable by others.
    if (!temporary.create())
        return std::unexpected(Error::from_errno("open", errno, "making " + temporary.path().string()));
    {
        auto connection = Connection::open(database, Connection::Mode::write);
        if (!connection) return std::unexpected(connection.error());
        if (auto copied = (*connection)->run("VACUUM INTO ?1", std::string_view(temporary.path().native())); !copied)
            return std::unexpected(copied.error());
    }
    UniqueFd file(::open(temporary.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return std::unexpected(Error::from_errno("open", errno, temporary.path().string()));
    return file;
}

void clear_backups(const fs::path& database) {
    const auto prefix = database.filename().string() + std::string(kBackupName);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(database.parent_path(), none))
        if (entry.path().filename().string().starts_with(prefix)) ::unlink(entry.path().c_str());
}

UsedIds ids_of(const fs::path& database) {
    auto connection = Connection::open(database, Connection::Mode::read_only);
    if (!connection) return {};
    return sequences(**connection).value_or(UsedIds{});
}

Result<void> check_none(const fs::path& database, Existing existing, std::string_view option) {
    std::error_code missing;
    const auto size = fs::file_size(database, missing);
    if (missing || size == 0 || existing == Existing::keep_beside) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "restore",
                                 .detail = database.string() + " is there, and would be replaced",
                                 .reason = "database_exists",
                                 .remedy = fmt::format("if it is not wanted: {} with --force keeps it beside the new "
                                                       "one, under another name",
                                                       option)});
}

/// The log of the old one must never lie beside the new one: SQLite would take it for its own.
Result<fs::path> put_in_place(const fs::path& made, const fs::path& database) {
    std::error_code missing;
    fs::path kept;
    if (fs::exists(database, missing)) {
        kept = name_beside(database);
        if (auto moved = rename_file(database, kept); !moved) return std::unexpected(moved.error());
    }
    if (has_log(database)) {
        const auto log = kept.empty() ? name_beside(with_ending(database, "-wal")) : with_ending(kept, "-wal");
        if (auto moved = rename_file(with_ending(database, "-wal"), log); !moved) return std::unexpected(moved.error());
    }
    ::unlink(with_ending(database, "-wal").c_str());
    ::unlink(with_ending(database, "-shm").c_str());
    if (auto moved = rename_file(made, database); !moved) return std::unexpected(moved.error());
    if (auto synced = sync_directory(database.parent_path()); !synced) return std::unexpected(synced.error());
    return kept;
}

Result<Restored> restore(const RestoreOptions& options) {
    auto lock = StateLock::acquire(options.database);
    if (!lock) return std::unexpected(lock.error());
    if (auto none = check_none(options.database, options.existing, "--restore"); !none)
        return std::unexpected(none.error());
    const TemporaryDatabase temporary(with_ending(options.database, ".restoring"));
    {
        const auto file = temporary.create();
        if (!file) return std::unexpected(Error::from_errno("open", errno, "making " + temporary.path().string()));
        if (auto copied = copy_backup(options.source, file.get()); !copied) return std::unexpected(copied.error());
    }
    auto with_old = options;
    for (const auto& [table, id] : ids_of(options.database)) with_old.used[table] = std::max(with_old.used[table], id);
    auto restored = accept_backup(temporary.path(), with_old);
    if (!restored) return restored;
    auto kept = put_in_place(temporary.path(), options.database);
    if (!kept) return std::unexpected(kept.error());
    restored->kept = *std::move(kept);
    return restored;
}

}  // namespace jaild::store
