#include "core/store/migrations.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "core/store/networks.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::store;
using test::value_of;

namespace {

std::unique_ptr<Connection> memory() {
    return value_of(Connection::open({}, Connection::Mode::memory));
}

const std::vector<Migration> kThree{{.to = 1, .sql = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)"},
                                    {.to = 2, .sql = "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7"},
                                    {.to = 3, .sql = "CREATE TABLE c (x INTEGER)"}};

}  // namespace

TEST_CASE("our own migrations lead from nothing to the latest version, one by one", "[store][migrations]") {
    auto connection = memory();
    int expected = 0;
    for (const auto& migration : migrations()) CHECK(migration.to == ++expected);
    REQUIRE(migrate(*connection, migrations()));
    CHECK(value_of(schema_version(*connection)) == expected);
    CHECK(value_of(first_text(connection->prepare("PRAGMA quick_check"))) == std::optional<std::string>("ok"));
}

TEST_CASE("the addresses of an older database are those of each jail's first interface", "[store][migrations]") {
    auto connection = memory();
    REQUIRE(migrate(*connection, migrations().first(1)));
    value_of(
        connection->script("INSERT INTO networks VALUES (1, 'default', '10.213.0.0/24', 'fd00::/64', 1, 1500);"
                           "INSERT INTO jails (id, name, spec, created_at) VALUES (3, 'web', '{}', 0);"
                           "INSERT INTO jails (id, name, spec, created_at) VALUES (4, 'hermit', '{}', 0);"
                           "INSERT INTO addresses VALUES (1, 4, x'0AD50009', 3);"
                           "INSERT INTO addresses VALUES (1, 6, x'FD000000000000000000000000000009', 3)"));
    REQUIRE(migrate(*connection, migrations()));

    const auto count = [&](const std::string& rows) {
        return value_of(first_integer(connection->prepare("SELECT count(*) FROM " + rows))).value_or(-1);
    };
    CHECK(count("interfaces") == 1);  // the other jail has none
    CHECK(count("interfaces WHERE jail = 3 AND number = 0 AND network = 1 AND mac IS NULL") == 1);
    CHECK(count("addresses WHERE jail = 3 AND interface = 0 AND network = 1") == 2);
}

TEST_CASE("migrations run once each, from whatever version is there", "[store][migrations]") {
    auto connection = memory();
    REQUIRE(migrate(*connection, std::span(kThree).first(1)));
    REQUIRE(migrate(*connection, kThree));
    REQUIRE(migrate(*connection, kThree));
    CHECK(value_of(schema_version(*connection)) == 3);
    CHECK(value_of(first_integer(connection->prepare("SELECT y FROM a"))) == std::optional<std::int64_t>(7));
}

TEST_CASE("a migration that fails leaves the version before it, whole", "[store][migrations]") {
    auto connection = memory();
    auto broken = kThree;
    broken[1].sql = "CREATE TABLE b (x INTEGER); CREATE TABLE a (again INTEGER)";
    CHECK_FALSE(migrate(*connection, broken));
    CHECK(value_of(schema_version(*connection)) == 1);
    CHECK_FALSE(connection->in_transaction());
    CHECK(value_of(first_integer(connection->prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"))) ==
          std::optional<std::int64_t>(0));
    REQUIRE(migrate(*connection, kThree));
    CHECK(value_of(schema_version(*connection)) == 3);
}

TEST_CASE("a network of the first version is the same after the migration", "[store][migrations][networks]") {
    auto connection = memory();
    REQUIRE(migrate(*connection, migrations().first(1)));
    REQUIRE(
        connection->script("INSERT INTO networks (name, ipv4, ipv6, nat, mtu) VALUES"
                           " ('default', '10.213.3.0/24', 'fd12:3456:789a::/64', 1, 1400);"
                           "INSERT INTO pools (network, family, lowest) VALUES (1, 4, x'0AD50302');"
                           "INSERT INTO events (at, type, jail, operation, data) VALUES"
                           " (1700000000000, 'network.created', '', '', '{}')"));
    REQUIRE(migrate(*connection, migrations()));
    const auto network = value_of(networks::find(*connection, "default"));
    CHECK(network.id == NetworkId{1});
    CHECK(network.generation == 1);
    CHECK(network.created_at.milliseconds == 1'700'000'000'000);
    const auto plain = value_of(model::parse_network_fields(
        network.name,
        nlohmann::json{{"ipv4", "10.213.3.0/24"}, {"ipv6", "fd12:3456:789a::/64"}, {"mtu", 1400}, {"nat", true}}));
    CHECK(model::fields_json(network) == model::fields_json(plain.network));
    CHECK(value_of(first_text(connection->prepare("SELECT hex(lowest) FROM pools"))) ==
          std::optional<std::string>("0AD50302"));
}
