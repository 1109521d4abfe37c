#include "core/store/opening.h"

#include <fmt/format.h>

#include "core/store/database_file.h"
#include "core/store/migrations.h"
#include "core/store/sqlite_error.h"

namespace jaild::store {
namespace {

Result<void> quick_check(Connection& connection) {
    auto verdict = first_text(connection.prepare("PRAGMA quick_check(1)"));
    if (!verdict) return std::unexpected(verdict.error());
    if (*verdict == "ok") return {};
    return std::unexpected(corrupt("quick_check", "the database is damaged: " + verdict->value_or("no verdict")));
}

Result<std::optional<std::string>> meta(Connection& connection, std::string_view key) {
    return first_text(connection.prepare("SELECT value FROM meta WHERE key = ?1", key));
}

Result<void> set_meta(Connection& connection, std::string_view key, std::string_view value) {
    return connection.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", key, value);
}

/// Two hosts under one instance id could take each other's objects (on shared storage) for their own.
Result<void> check_host(Connection& connection, const StoreOptions& options) {
    auto version = schema_version(connection);
    if (!version) return std::unexpected(version.error());
    if (*version == 0 || options.claim) return {};
    auto host = meta(connection, "host_identity");
    if (!host) return std::unexpected(host.error());
    if (!*host || **host == options.host_identity) return {};
    return std::unexpected(Error{
        .code = Errc::conflict,
        .op = "open_database",
        .detail = "this state directory was made on another host, is a copy, or this host was given a new identity",
        .reason = "state_of_other_host",
        .remedy = "if no other jaild uses it, start once with `jaild --claim`: it takes the jails over under a new "
                  "instance id",
    });
}

Result<InstanceId> bind_host(Connection& connection, const StoreOptions& options) {
    auto host = meta(connection, "host_identity");
    if (!host) return std::unexpected(host.error());
    auto stored = meta(connection, "instance");
    if (!stored) return std::unexpected(stored.error());
    if (*host == options.host_identity && *stored) {
        auto instance = InstanceId::parse(**stored);
        if (!instance) return std::unexpected(corrupt("open_database", "the instance id is damaged: " + **stored));
        return instance;
    }
    auto drawn = InstanceId::generate();
    if (auto begun = connection.run("BEGIN IMMEDIATE"); !begun) return std::unexpected(begun.error());
    auto done = set_meta(connection, "host_identity", options.host_identity);
    if (done) done = set_meta(connection, "instance", drawn.text());
    if (done) done = connection.run("COMMIT");
    if (done) return drawn;
    if (connection.in_transaction()) (void)connection.run("ROLLBACK");
    return std::unexpected(done.error());
}

/// Everything that can refuse the database, by reading only.
Result<void> inspect(Connection& connection, const StoreOptions& options) {
    if (auto newer = check_not_newer(connection, migrations()); !newer) return newer;
    if (auto sound = quick_check(connection); !sound) return sound;
    return check_host(connection, options);
}

/// The application id goes in before WAL mode: so it is in the file itself from the first page on, never only in a log.
Result<void> begin_file(Connection& connection) {
    return connection.script(fmt::format("PRAGMA application_id={}", kApplicationId));
}

Result<void> use_wal(Connection& connection) {
    auto mode = first_text(connection.prepare("PRAGMA journal_mode=WAL"));
    if (!mode) return std::unexpected(mode.error());
    if (*mode == "wal") return connection.script("PRAGMA journal_size_limit=16777216");
    return std::unexpected(Error{.code = Errc::unsupported,
                                 .op = "journal_mode",
                                 .detail = "SQLite cannot use a write-ahead log there: " + mode->value_or(""),
                                 .reason = "state_directory_unsupported",
                                 .remedy = "put the state directory on a local file system"});
}

Result<OpenDatabase> accept(std::unique_ptr<Connection> connection, const StoreOptions& options) {
    if (auto migrated = migrate(*connection, migrations()); !migrated) return std::unexpected(migrated.error());
    auto instance = bind_host(*connection, options);
    if (!instance) return std::unexpected(instance.error());
    return OpenDatabase{.connection = std::move(connection), .instance = *instance};
}

}  // namespace

Result<OpenDatabase> open_file(const std::filesystem::path& path, const StoreOptions& options) {
    auto file = prepare_database_file(path);
    if (!file) return std::unexpected(file.error());
    const bool log_waits = has_log(path);
    auto opened = Connection::open(path, Connection::Mode::write);
    if (!opened) return std::unexpected(opened.error());
    auto& connection = **opened;
    if (*file == DatabaseFile::existing) {
        // Until it is accepted, closing must not copy a log into the file. Without one, closing as usual takes the
        // empty log away again that reading has made.
        if (!log_waits) connection.on_close(Connection::OnClose::checkpoint);
        if (auto fine = inspect(connection, options); !fine) return std::unexpected(fine.error());
    } else if (auto begun = begin_file(connection); !begun) {
        return std::unexpected(begun.error());
    }
    connection.on_close(Connection::OnClose::checkpoint);
    if (auto wal = use_wal(connection); !wal) return std::unexpected(wal.error());
    return accept(*std::move(opened), options);
}

Result<OpenDatabase> open_memory(const StoreOptions& options) {
    auto opened = Connection::open({}, Connection::Mode::memory);
    if (!opened) return std::unexpected(opened.error());
    return accept(*std::move(opened), options);
}

}  // namespace jaild::store
