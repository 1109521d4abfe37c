#include "core/store/networks.h"

#include <fmt/format.h>

#include "core/store/addresses.h"
#include "core/store/sqlite_error.h"

namespace jaild::store::networks {
namespace {

Result<model::Network> from_row(const Statement& row) {
    auto name = model::Name::parse(row.text(1));
    auto ipv4 = Prefix::parse(row.text(2));
    auto ipv6 = Prefix::parse(row.text(3));
    if (!name || !ipv4 || !ipv6) {
        return std::unexpected(
            corrupt("read_network", fmt::format("the row of network {} is damaged", row.integer(0))));
    }
    return model::Network{.id = NetworkId{row.integer(0)},
                          .name = *std::move(name),
                          .ipv4 = *ipv4,
                          .ipv6 = *ipv6,
                          .nat = row.integer(4) != 0,
                          .mtu = static_cast<unsigned>(row.integer(5))};
}

/// The row and its pools.
Result<model::Network> insert_both(Connection& connection, const model::Network& network) {
    auto taken = first_integer(connection.prepare("SELECT 1 FROM networks WHERE name = ?1", network.name.text()));
    if (!taken) return std::unexpected(taken.error());
    if (*taken) {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "insert_network",
                                     .detail = fmt::format("network \"{}\" exists already", network.name.text()),
                                     .reason = "network_exists",
                                     .field = "/name"});
    }
    auto done = connection.run("INSERT INTO networks (name, ipv4, ipv6, nat, mtu) VALUES (?1, ?2, ?3, ?4, ?5)",
                               network.name.text(), network.ipv4.network().to_string(),
                               network.ipv6.network().to_string(), network.nat, std::int64_t{network.mtu});
    if (!done) return std::unexpected(done.error());
    auto stored = network;
    stored.id = NetworkId{connection.last_insert_id()};
    stored.ipv4 = network.ipv4.network();
    stored.ipv6 = network.ipv6.network();
    if (auto opened = addresses::open_pools(connection, stored); !opened) return std::unexpected(opened.error());
    return stored;
}

}  // namespace

Result<model::Network> find(Connection& connection, std::string_view name) {
    auto found = first_row<model::Network>(
        connection.prepare("SELECT id, name, ipv4, ipv6, nat, mtu FROM networks WHERE name = ?1", name), from_row);
    if (!found) return std::unexpected(found.error());
    if (*found) return **std::move(found);
    return std::unexpected(Error{.code = Errc::not_found,
                                 .op = "find_network",
                                 .detail = fmt::format("there is no network \"{}\"", name),
                                 .reason = "network_not_found"});
}

Result<std::vector<model::Network>> all(Connection& connection) {
    return all_rows<model::Network>(
        connection.prepare("SELECT id, name, ipv4, ipv6, nat, mtu FROM networks ORDER BY id"), from_row);
}

Result<model::Network> insert(Connection& connection, const model::Network& network) {
    return in_savepoint(connection, [&] { return insert_both(connection, network); });
}

}  // namespace jaild::store::networks
