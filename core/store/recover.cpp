#include "core/store/recover.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "core/base/files.h"
#include "core/store/database_file.h"
#include "core/store/jails.h"
#include "core/store/migrations.h"
#include "core/store/networks.h"
#include "core/store/opening.h"
#include "core/store/pools.h"
#include "core/store/records.h"
#include "core/store/sequences.h"
#include "core/store/snapshots.h"
#include "core/store/sqlite_error.h"
#include "core/store/state_lock.h"
#include "core/store/templates.h"
#include "core/store/temporary_database.h"

namespace jaild::store {
namespace {

namespace fs = std::filesystem;
using records::Record;

struct Loaded {
    std::string name;  ///< "jails/12"
    Record record;
};

/// "jails/12 (web)"
std::string shown(const Loaded& loaded) {
    return loaded.record.name().empty() ? loaded.name : fmt::format("{} ({})", loaded.name, loaded.record.name());
}

/// All records, those first that others need.
class Records {
public:
    Records(const fs::path& directory, std::vector<std::string>& lost) : directory_(directory), lost_(lost) {
        load(std::string(records::kMeta));
        has_meta_ = !all_.empty();
        if (!has_meta_)
            lost_.push_back("the instance id: a new one is drawn, and what runs under the old one is not taken over");
        for (const auto& kind : records::kinds()) load_all(kind.table);
    }
    [[nodiscard]] bool empty() const { return all_.size() <= (has_meta_ ? 1U : 0U); }
    [[nodiscard]] const std::vector<Loaded>& all() const { return all_; }

private:
    void load(const std::string& name) {
        const auto text = files::read(directory_ / (name + std::string(records::kEnding)), records::kLargest);
        auto record = text ? Record::parse(*text) : std::unexpected(text.error());
        if (record && record->schema() < 1)
            record = std::unexpected(Error{.code = Errc::corrupt, .op = "record", .detail = "it has no schema"});
        if (record)
            all_.push_back({.name = name, .record = *std::move(record)});
        else
            lost_.push_back(fmt::format("{}: {}", name, record.error().detail));
    }
    void load_all(std::string_view table) {
        std::vector<std::string> names;
        std::error_code none;
        for (const auto& entry : fs::directory_iterator(directory_ / table, none))
            if (entry.path().extension() == records::kEnding) names.push_back(entry.path().stem().string());
        std::ranges::sort(names, {}, [](const std::string& name) { return std::pair(name.size(), name); });
        for (const auto& name : names) load(fmt::format("{}/{}", table, name));
    }

    const fs::path& directory_;
    std::vector<std::string>& lost_;
    std::vector<Loaded> all_;
    bool has_meta_ = false;
};

Result<void> insert_of_schema(Connection& connection, const Records& all, int schema, std::vector<std::string>& lost) {
    if (auto begun = connection.run("BEGIN IMMEDIATE"); !begun) return begun;
    for (const auto& one : all.all()) {
        if (one.record.schema() != schema) continue;
        auto done = in_savepoint(connection, [&] { return one.record.insert(connection); });
        if (!connection.in_transaction()) return done;
        if (!done) lost.push_back(fmt::format("{}: {}", shown(one), done.error().detail));
    }
    return connection.run("COMMIT");
}

/// Each record goes into the schema that it was made of; those of an older jaild's come along with its migrations.
Result<void> insert_all(const fs::path& path, const Records& all, std::vector<std::string>& lost) {
    auto opened = Connection::open(path, Connection::Mode::write);
    if (!opened) return std::unexpected(opened.error());
    auto& connection = **opened;
    connection.on_close(Connection::OnClose::checkpoint);
    if (auto begun =
            connection.script(fmt::format("PRAGMA application_id={}; PRAGMA foreign_keys=OFF", kApplicationId));
        !begun)
        return begun;
    std::set<int> schemas;
    for (const auto& one : all.all()) schemas.insert(one.record.schema());
    for (const int schema : schemas) {
        const auto known = migrations();
        if (schema > known.back().to)
            return std::unexpected(Error{.code = Errc::unsupported,
                                         .op = "recover",
                                         .detail = "the records were written by a newer jaild",
                                         .reason = "database_newer",
                                         .remedy = "recover with the newer jaild"});
        if (auto migrated = migrate(connection, known.first(static_cast<std::size_t>(schema))); !migrated)
            return migrated;
        if (auto done = insert_of_schema(connection, all, schema, lost); !done) return done;
    }
    return {};
}

struct Named {
    std::int64_t id = 0;
    std::string name;
};

/// `sql`: an id and a name.
Result<std::vector<Named>> named(Connection& connection, std::string_view sql) {
    return all_rows<Named>(connection.prepare(sql), [](const Statement& row) -> Result<Named> {
        return Named{.id = row.integer(0), .name = row.text(1)};
    });
}

/// Deletes those of `rows` of which `wrong` has something to say, and says it.
template <class F>
Result<void> drop(Connection& connection, std::string_view table, const Result<std::vector<Named>>& rows, F&& wrong,
                  std::vector<std::string>& lost) {
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows) {
        const std::optional<std::string> reason = wrong(row);
        if (!reason) continue;
        lost.push_back(fmt::format("{}/{} ({}): {}", table, row.id, row.name, *reason));
        const auto sql = fmt::format("DELETE FROM {} WHERE id = ?1", table);
        if (auto gone = connection.run(sql, row.id); !gone) return gone;
    }
    return {};
}

template <class T>
std::optional<std::string> said_by(const Result<T>& read) {
    return read ? std::nullopt : std::optional(read.error().to_string());
}

/// One row that cannot be read would keep the daemon from starting.
Result<void> drop_unreadable_bases(Connection& connection, std::vector<std::string>& lost) {
    auto done = drop(
        connection, "networks", named(connection, "SELECT id, name FROM networks"),
        [&](const Named& row) { return said_by(networks::find(connection, row.name)); }, lost);
    if (!done) return done;
    return drop(
        connection, "templates", named(connection, "SELECT id, name FROM templates"),
        [&](const Named& row) { return said_by(templates::find(connection, TemplateId{row.id})); }, lost);
}

Result<void> drop_what_lacks_something(Connection& connection, std::vector<std::string>& lost) {
    const auto because = [](std::string reason) {
        return [reason = std::move(reason)](const Named&) { return std::optional(reason); };
    };
    auto done = connection.run(
        "UPDATE jails SET root_source = NULL, root_change = NULL WHERE root_source IS NOT NULL AND root_source NOT IN "
        "(SELECT id FROM snapshots)");
    if (!done) return done;
    done = drop(connection, "jails",
                named(connection,
                      "SELECT id, name FROM jails WHERE template IS NOT NULL AND template NOT IN "
                      "(SELECT id FROM templates)"),
                because("its template could not be recovered"), lost);
    if (!done) return done;
    done = drop(connection, "jails",
                named(connection,
                      "SELECT id, name FROM jails WHERE id IN (SELECT jail FROM interfaces WHERE network NOT IN "
                      "(SELECT id FROM networks))"),
                because("its network could not be recovered"), lost);
    if (!done) return done;
    return drop(connection, "snapshots",
                named(connection,
                      "SELECT id, name FROM snapshots WHERE jail NOT IN (SELECT id FROM jails) OR "
                      "(template IS NOT NULL AND template NOT IN (SELECT id FROM templates))"),
                because("its jail or template could not be recovered"), lost);
}

Result<void> drop_unreadable(Connection& connection, std::vector<std::string>& lost) {
    auto done = drop(
        connection, "jails", named(connection, "SELECT id, name FROM jails"),
        [&](const Named& row) { return said_by(jails::find(connection, JailId{row.id})); }, lost);
    if (!done) return done;
    done = drop(
        connection, "snapshots", named(connection, "SELECT id, name FROM snapshots"),
        [&](const Named& row) { return said_by(snapshots::find(connection, SnapshotId{row.id})); }, lost);
    if (!done) return done;
    return drop(
        connection, "jail_pools", named(connection, "SELECT id, name FROM jail_pools"),
        [&](const Named& row) {
            const auto name = model::Name::parse(row.name);
            return name ? said_by(pools::find(connection, *name)) : said_by(name);
        },
        lost);
}

/// Nothing of it refers to what is not there.
Result<void> check_references(Connection& connection) {
    auto first = first_text(connection.prepare("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1"));
    if (!first) return std::unexpected(first.error());
    if (!*first) return {};
    return std::unexpected(corrupt("recover", "records do not fit together: " + **first));
}

Result<void> tidy(Connection& connection, std::vector<std::string>& lost) {
    // What goes first is referred to by what is looked at next.
    if (auto off = connection.script("PRAGMA foreign_keys=OFF"); !off) return off;
    if (auto done = drop_unreadable_bases(connection, lost); !done) return done;
    auto done = connection.run("DELETE FROM pools WHERE network NOT IN (SELECT id FROM networks)");
    if (!done) return done;
    if (auto on = connection.script("PRAGMA foreign_keys=ON"); !on) return on;
    if (done = drop_what_lacks_something(connection, lost); !done) return done;
    if (done = drop_unreadable(connection, lost); !done) return done;
    return check_references(connection);
}

Result<Recovered> sum_up(Connection& connection, std::vector<std::string> lost) {
    Recovered recovered{.lost = std::move(lost)};
    const auto jails = named(connection, "SELECT id, name FROM jails");
    if (!jails) return std::unexpected(jails.error());
    for (const auto& row : *jails) recovered.jails.insert(JailId{row.id});
    const auto templates = named(connection, "SELECT id, name FROM templates");
    if (!templates) return std::unexpected(templates.error());
    for (const auto& row : *templates) recovered.templates.insert(TemplateId{row.id});
    const auto networks = named(connection, "SELECT id, name FROM networks");
    if (!networks) return std::unexpected(networks.error());
    recovered.networks = networks->size();
    const auto snapshots = named(connection, "SELECT id, name FROM snapshots");
    if (!snapshots) return std::unexpected(snapshots.error());
    recovered.snapshots = snapshots->size();
    const auto of_jails = named(connection, "SELECT id, name FROM jail_pools");
    if (!of_jails) return std::unexpected(of_jails.error());
    recovered.pools = of_jails->size();
    return recovered;
}

Result<Recovered> finish_recovery(const fs::path& path, const RecoverOptions& options, const UsedIds& used,
                                  std::vector<std::string> lost) {
    auto opened = open_file(path, {.path = path, .host_identity = options.host_identity, .claim = options.claim});
    if (!opened) return std::unexpected(opened.error());
    auto& connection = *opened->connection;
    if (auto tidied = tidy(connection, lost); !tidied) return std::unexpected(tidied.error());
    if (auto raised = raise_sequences(connection, used); !raised) return std::unexpected(raised.error());
    auto recovered = sum_up(connection, std::move(lost));
    if (!recovered) return recovered;
    if (auto done = connection.checkpoint(Connection::Checkpoint::truncate); !done)
        return std::unexpected(done.error());
    return recovered;
}

}  // namespace

Result<Recovered> recover(const RecoverOptions& options) {
    auto lock = StateLock::acquire(options.database);
    if (!lock) return std::unexpected(lock.error());
    if (auto none = check_none(options.database, options.existing, "--recover"); !none)
        return std::unexpected(none.error());
    std::vector<std::string> lost;
    const Records all(options.records, lost);
    if (all.empty())
        return std::unexpected(Error{.code = Errc::not_found,
                                     .op = "recover",
                                     .detail = options.records.string() + " has no records of jails or networks",
                                     .reason = "no_records",
                                     .remedy = "if there is a backup: jaild --restore FILE"});
    const TemporaryDatabase temporary(with_ending(options.database, ".recovering"));
    if (!temporary.create())
        return std::unexpected(Error::from_errno("open", errno, "making " + temporary.path().string()));
    if (auto inserted = insert_all(temporary.path(), all, lost); !inserted) return std::unexpected(inserted.error());
    auto used = options.used;
    const auto raise = [&](const auto& ids) {
        for (const auto& [table, id] : ids) used[table] = std::max(used[table], id);
    };
    raise(ids_of(options.database));
    for (const auto& one : all.all()) raise(one.record.sequences());
    auto recovered = finish_recovery(temporary.path(), options, used, std::move(lost));
    if (!recovered) return recovered;
    auto kept = put_in_place(temporary.path(), options.database);
    if (!kept) return std::unexpected(kept.error());
    recovered->kept = *std::move(kept);
    return recovered;
}

}  // namespace jaild::store
