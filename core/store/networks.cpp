#include "core/store/networks.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/store/addresses.h"
#include "core/store/sqlite_error.h"

namespace jaild::store::networks {
namespace {

Result<model::Network> from_row(const Statement& row) {
    auto name = model::Name::parse(row.text(1));
    const auto fields = nlohmann::json::parse(row.text(2), nullptr, false);
    auto request = name ? model::parse_network_fields(*std::move(name), fields) : std::unexpected(name.error());
    if (!request || request->choose4 || request->choose6) {
        return std::unexpected(
            corrupt("read_network", fmt::format("the row of network {} is damaged", row.integer(0))));
    }
    auto network = std::move(request->network);
    network.id = NetworkId{row.integer(0)};
    network.generation = row.integer(3);
    network.created_at = UtcTime{row.integer(4)};
    return network;
}

/// Empty: none.
std::string subnet_text(const model::Network& network, Family family) {
    const auto& subnet = network.subnet(family);
    return subnet ? subnet->to_string() : std::string();
}

/// The row and its pools.
Result<model::Network> insert_both(Connection& connection, const model::Network& network, UtcTime now) {
    auto taken = first_integer(connection.prepare("SELECT 1 FROM networks WHERE name = ?1", network.name.text()));
    if (!taken) return std::unexpected(taken.error());
    if (*taken) {
        return std::unexpected(Error{.code = Errc::conflict,
                                     .op = "insert_network",
                                     .detail = fmt::format("network \"{}\" exists already", network.name.text()),
                                     .reason = "network_exists",
                                     .field = "/name"});
    }
    auto stored = network;
    if (stored.ipv4) stored.ipv4 = stored.ipv4->network();
    if (stored.ipv6) stored.ipv6 = stored.ipv6->network();
    stored.generation = 1;
    stored.created_at = now;
    auto done = connection.run("INSERT INTO networks (name, ipv4, ipv6, spec, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                               network.name.text(), subnet_text(stored, Family::ipv4),
                               subnet_text(stored, Family::ipv6), model::fields_json(stored).dump(), now.milliseconds);
    if (!done) return std::unexpected(done.error());
    stored.id = NetworkId{connection.last_insert_id()};
    if (auto opened = addresses::open_pools(connection, stored); !opened) return std::unexpected(opened.error());
    return stored;
}

}  // namespace

Result<model::Network> find(Connection& connection, std::string_view name) {
    auto found = first_row<model::Network>(
        connection.prepare("SELECT id, name, spec, generation, created_at FROM networks WHERE name = ?1", name),
        from_row);
    if (!found) return std::unexpected(found.error());
    if (*found) return **std::move(found);
    return std::unexpected(Error{.code = Errc::not_found,
                                 .op = "find_network",
                                 .detail = fmt::format("there is no network \"{}\"", name),
                                 .reason = "network_not_found"});
}

Result<std::vector<model::Network>> all(Connection& connection) {
    return all_rows<model::Network>(
        connection.prepare("SELECT id, name, spec, generation, created_at FROM networks ORDER BY id"), from_row);
}

Result<model::Network> insert(Connection& connection, const model::Network& network, UtcTime now) {
    return in_savepoint(connection, [&] { return insert_both(connection, network, now); });
}

}  // namespace jaild::store::networks
