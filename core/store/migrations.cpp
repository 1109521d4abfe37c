#include "core/store/migrations.h"

#include <fmt/format.h>

#include <array>

namespace jaild::store {
namespace {

// AUTOINCREMENT wherever an id names something outside this database (a directory, an interface, an SSE event id): it
// must never be given out twice. Times are milliseconds since the epoch.
constexpr std::string_view kFirst = R"sql(
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE networks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    ipv4 TEXT NOT NULL,
    ipv6 TEXT NOT NULL,
    nat INTEGER NOT NULL,
    mtu INTEGER NOT NULL
) STRICT;

CREATE TABLE jails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    root_path TEXT UNIQUE,                 -- normalized; NULL for a private root
    spec TEXT NOT NULL,                    -- JSON object, secrets too
    generation INTEGER NOT NULL DEFAULT 1,
    incarnation INTEGER NOT NULL DEFAULT 1,
    removing INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE addresses (
    network INTEGER NOT NULL REFERENCES networks (id),
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    address BLOB NOT NULL CHECK (length(address) = iif(family = 4, 4, 16)),  -- network byte order: sorts by number
    jail INTEGER NOT NULL REFERENCES jails (id) ON DELETE CASCADE,
    PRIMARY KEY (network, family, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_of_jail ON addresses (jail);

CREATE TABLE pools (                       -- where the search for a free address begins
    network INTEGER NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    lowest BLOB NOT NULL,                  -- none below it is free
    PRIMARY KEY (network, family)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER addresses_released AFTER DELETE ON addresses BEGIN
    UPDATE pools SET lowest = min(lowest, old.address) WHERE network = old.network AND family = old.family;
END;

CREATE TABLE operations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    jail INTEGER NOT NULL,                 -- no reference: an operation outlives its jail
    jail_name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    state TEXT NOT NULL,
    steps TEXT NOT NULL,                   -- JSON array of texts
    problem TEXT,                          -- JSON object
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX operations_running ON operations (jail) WHERE state = 'running';

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    jail TEXT NOT NULL COLLATE NOCASE,
    operation TEXT NOT NULL,
    data TEXT NOT NULL                     -- JSON object
) STRICT;
CREATE INDEX events_of_jail ON events (jail, seq) WHERE jail <> '';

CREATE TABLE idempotency_keys (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    operation TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (principal, key)
) STRICT;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    principal TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
)sql";

// Networks of many kinds: what a network is asked to be is one JSON object, as a jail's spec is. The subnets stay
// columns too, empty for a family that it does not have.
constexpr std::string_view kNetworks = R"sql(
ALTER TABLE networks ADD COLUMN spec TEXT NOT NULL DEFAULT '{}';
ALTER TABLE networks ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE networks ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
UPDATE networks SET created_at = coalesce((SELECT min(at) FROM events), 0), spec =
    json_object('ipv4', ipv4, 'ipv6', ipv6, 'nat', json(iif(nat, 'true', 'false')), 'mtu', mtu);
ALTER TABLE networks DROP COLUMN nat;
ALTER TABLE networks DROP COLUMN mtu;
)sql";

// Which network each of a jail's interfaces is on, addresses or not, and whose of them an address is. Until then a jail
// had one.
constexpr std::string_view kInterfaces = R"sql(
CREATE TABLE interfaces (
    jail INTEGER NOT NULL REFERENCES jails (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 7),
    network INTEGER NOT NULL REFERENCES networks (id),
    PRIMARY KEY (jail, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX interfaces_of_network ON interfaces (network);
INSERT INTO interfaces (jail, number, network) SELECT DISTINCT jail, 0, network FROM addresses;

ALTER TABLE addresses ADD COLUMN interface INTEGER NOT NULL DEFAULT 0 CHECK (interface BETWEEN 0 AND 7);
)sql";

constexpr std::string_view kInterfaceMacs = R"sql(
ALTER TABLE interfaces ADD COLUMN mac TEXT;  -- lower case; NULL: one that jaild makes, which is like no other
CREATE UNIQUE INDEX interfaces_mac ON interfaces (network, mac);
)sql";

// Addresses that jails have on the host's own interfaces: no two of them have one. (A network's keep apart from them as
// far as it does not reserve them.)
constexpr std::string_view kAliases = R"sql(
CREATE TABLE aliases (
    family INTEGER NOT NULL CHECK (family IN (4, 6)),
    address BLOB NOT NULL CHECK (length(address) = iif(family = 4, 4, 16)),
    jail INTEGER NOT NULL REFERENCES jails (id) ON DELETE CASCADE,
    PRIMARY KEY (family, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_of_jail ON aliases (jail);
)sql";

// Templates, who is made from which, and operations on them.
constexpr std::string_view kTemplates = R"sql(
CREATE TABLE templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL COLLATE NOCASE,
    version TEXT NOT NULL COLLATE NOCASE,
    state TEXT NOT NULL,
    facts TEXT NOT NULL,                   -- JSON object
    created_at INTEGER NOT NULL,
    UNIQUE (name, version)
) STRICT;
CREATE VIEW latest_templates AS SELECT max(id) AS id FROM templates WHERE state = 'ready' GROUP BY name;

ALTER TABLE jails ADD COLUMN template INTEGER REFERENCES templates (id);  -- NULL: the host's, or a path root
CREATE INDEX jails_of_template ON jails (template) WHERE template IS NOT NULL;

ALTER TABLE operations ADD COLUMN template INTEGER NOT NULL DEFAULT 0;    -- 0: of a jail; no reference, as with jail
ALTER TABLE operations ADD COLUMN template_name TEXT NOT NULL DEFAULT '';
CREATE INDEX operations_running_of_template ON operations (template) WHERE state = 'running' AND template <> 0;
)sql";

constexpr std::string_view kSnapshots = R"sql(
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    jail INTEGER NOT NULL REFERENCES jails (id) ON DELETE CASCADE,
    name TEXT NOT NULL COLLATE NOCASE,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    facts TEXT NOT NULL,                          -- JSON object
    template INTEGER REFERENCES templates (id),   -- what the root was made from then; NULL: the host's
    entries INTEGER,                              -- NULL: nobody counted
    bytes INTEGER,
    created_at INTEGER NOT NULL,
    UNIQUE (jail, name)
) STRICT;
CREATE INDEX snapshots_of_template ON snapshots (template) WHERE template IS NOT NULL;

ALTER TABLE jails ADD COLUMN root_change TEXT;    -- JSON object: what the root is to become; NULL: it stays
ALTER TABLE jails ADD COLUMN root_source INTEGER REFERENCES snapshots (id);
CREATE INDEX jails_from_snapshot ON jails (root_source) WHERE root_source IS NOT NULL;

ALTER TABLE operations ADD COLUMN snapshot INTEGER NOT NULL DEFAULT 0;    -- 0: of a jail or a template
ALTER TABLE operations ADD COLUMN snapshot_name TEXT NOT NULL DEFAULT '';
CREATE INDEX operations_running_of_snapshot ON operations (snapshot) WHERE state = 'running' AND snapshot <> 0;
)sql";

// When a jail's ttl began: on the monotonic clock of the boot in meta, and on the wall clock for the next boot.
constexpr std::string_view kLifetimes = R"sql(
ALTER TABLE jails ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jails ADD COLUMN since_utc INTEGER NOT NULL DEFAULT 0;
UPDATE jails SET since_utc = created_at;
)sql";

// Jails that are kept ready, and which of them wait: what a pool is asked to be is one JSON object.
constexpr std::string_view kPools = R"sql(
CREATE TABLE jail_pools (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    spec TEXT NOT NULL,                    -- secrets too
    generation INTEGER NOT NULL DEFAULT 1,
    jail_generation INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
) STRICT;
ALTER TABLE jails ADD COLUMN pool INTEGER;             -- NULL: it is in none; no reference: it outlives its pool
ALTER TABLE jails ADD COLUMN pool_generation INTEGER;
ALTER TABLE jails ADD COLUMN pool_name TEXT;
)sql";

constexpr std::array kMigrations{
    Migration{.to = 1, .sql = kFirst},      Migration{.to = 2, .sql = kNetworks},
    Migration{.to = 3, .sql = kInterfaces}, Migration{.to = 4, .sql = kInterfaceMacs},
    Migration{.to = 5, .sql = kAliases},    Migration{.to = 6, .sql = kTemplates},
    Migration{.to = 7, .sql = kSnapshots},  Migration{.to = 8, .sql = kLifetimes},
    Migration{.to = 9, .sql = kPools},
};

Result<void> apply(Connection& connection, const Migration& migration) {
    if (auto begun = connection.run("BEGIN IMMEDIATE"); !begun) return begun;
    auto done = connection.script(std::string(migration.sql));
    if (done) done = connection.script(fmt::format("PRAGMA user_version={}", migration.to));
    if (done) done = connection.run("COMMIT");
    if (!done && connection.in_transaction()) (void)connection.run("ROLLBACK");
    return done;
}

}  // namespace

std::span<const Migration> migrations() {
    return kMigrations;
}

Result<int> schema_version(Connection& connection) {
    auto version = first_integer(connection.prepare("PRAGMA user_version"));
    if (!version) return std::unexpected(version.error());
    return static_cast<int>(version->value_or(0));
}

Result<void> check_not_newer(Connection& connection, std::span<const Migration> known) {
    auto version = schema_version(connection);
    if (!version) return std::unexpected(version.error());
    if (*version <= known.back().to) return {};
    return std::unexpected(Error{
        .code = Errc::unsupported,
        .op = "open_database",
        .detail =
            fmt::format("the database was written by a newer jaild: its schema is version {}, this jaild knows {}",
                        *version, known.back().to),
        .reason = "database_newer",
        .remedy = "start the newer jaild, or put back a copy of the database from before the upgrade",
    });
}

Result<void> migrate(Connection& connection, std::span<const Migration> known) {
    auto version = schema_version(connection);
    if (!version) return std::unexpected(version.error());
    for (const auto& migration : known) {
        if (migration.to <= *version) continue;
        if (auto applied = apply(connection, migration); !applied) return applied;
    }
    return {};
}

}  // namespace jaild::store
