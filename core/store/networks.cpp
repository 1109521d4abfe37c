#include "core/store/networks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/store/addresses.h"
#include "core/store/jails.h"
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

/// Two networks with one address would send each other's packets astray.
Result<void> check_apart(Connection& connection, const model::Network& network) {
    auto others = all(connection);
    if (!others) return std::unexpected(others.error());
    for (const auto& other : *others) {
        if (other.id == network.id) continue;
        for (const auto family : {Family::ipv4, Family::ipv6}) {
            const auto& subnet = network.subnet(family);
            const auto& taken = other.subnet(family);
            if (!subnet || !taken || !subnet->overlaps(*taken)) continue;
            return std::unexpected(Error{.code = Errc::conflict,
                                         .op = "check_network",
                                         .detail = fmt::format("{} overlaps {} of network \"{}\"", subnet->to_string(),
                                                               taken->to_string(), other.name.text()),
                                         .reason = "subnet_in_use",
                                         .field = family == Family::ipv4 ? "/ipv4" : "/ipv6",
                                         .remedy = "choose another one, or leave the field out to have one chosen"});
        }
    }
    return {};
}

/// All that name it, in the order of their ids.
Result<std::vector<model::Jail>> jails_of(Connection& connection, const model::Network& network) {
    auto jails = jails::all(connection);
    if (!jails) return jails;
    std::erase_if(*jails, [&](const model::Jail& jail) {
        return std::ranges::none_of(jail.spec.network.interfaces, [&](const model::InterfaceSpec& interface) {
            const auto name = model::Name::parse(interface.network);
            return name && name->key() == network.name.key();
        });
    });
    return jails;
}

/// An address that a jail has, or asks for by name, and that would not be one of a jail's in `network`.
bool misplaced(const model::Network& network, const Prefix& address) {
    const auto family = address.address.family;
    const auto& subnet = network.subnet(family);
    if (!subnet || subnet->length != address.length || !subnet->contains(address.address)) return true;
    if (address.address == subnet->address || address.address == network.gateway(family)) return true;
    return family == Family::ipv4 && address.address == subnet->last();
}

Result<std::vector<IpAddress>> given_to(Connection& connection, JailId jail, NetworkId network) {
    return all_rows<IpAddress>(
        connection.prepare("SELECT family, address FROM addresses WHERE jail = ?1 AND network = ?2", jail.value,
                           network.value),
        [](const Statement& row) -> Result<IpAddress> {
            IpAddress address{.family = row.integer(0) == 4 ? Family::ipv4 : Family::ipv6, .bytes = {}};
            const auto bytes = row.blob(1);
            if (bytes.size() != address.bits() / 8)
                return std::unexpected(corrupt("read_address", "the row of an address is damaged"));
            std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
            return address;
        });
}

/// What of a jail's is on this network: static addresses with their prefix length, and those that it was given.
Result<bool> fits(Connection& connection, const model::Network& network, const model::Jail& jail) {
    for (const auto& interface : jail.spec.network.interfaces) {
        const auto name = model::Name::parse(interface.network);
        if (!name || name->key() != network.name.key()) continue;
        for (const auto& address : interface.addresses)
            if (misplaced(network, address)) return false;
    }
    auto given = given_to(connection, jail.id, network.id);
    if (!given) return std::unexpected(given.error());
    return std::ranges::none_of(*given, [&](const IpAddress& address) {
        const auto& subnet = network.subnet(address.family);
        return !subnet || misplaced(network, {.address = address, .length = subnet->length});
    });
}

Result<void> check_jails_fit(Connection& connection, const model::Network& before, const model::Network& network,
                             const std::vector<model::Jail>& jails) {
    std::vector<std::string> outside;
    for (const auto& jail : jails) {
        const auto fine = fits(connection, network, jail);
        if (!fine) return std::unexpected(fine.error());
        if (!*fine) outside.push_back(jail.name.text());
    }
    if (outside.empty()) return {};
    const bool four = before.ipv4 != network.ipv4 || before.router4 != network.router4;
    return std::unexpected(Error{
        .code = Errc::conflict,
        .op = "update_network",
        .detail = fmt::format("jails have addresses that would not be theirs any more: {}", fmt::join(outside, ", ")),
        .reason = "addresses_in_use",
        .field = four ? "/ipv4" : "/ipv6",
        .remedy = "give these jails other addresses, or make another network and move them to it"});
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
    if (auto apart = check_apart(connection, network); !apart) return std::unexpected(apart.error());
    if (auto free = addresses::check_aliases_outside(connection, network); !free) return std::unexpected(free.error());
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

Result<model::Network> update_all(Connection& connection, const model::Network& network) {
    auto before = find(connection, network.name.text());
    if (!before) return before;
    if (auto apart = check_apart(connection, network); !apart) return std::unexpected(apart.error());
    if (auto free = addresses::check_aliases_outside(connection, network); !free) return std::unexpected(free.error());
    auto jails = jails_of(connection, network);
    if (!jails) return std::unexpected(jails.error());
    if (auto fit = check_jails_fit(connection, *before, network, *jails); !fit) return std::unexpected(fit.error());
    auto done =
        connection.run("UPDATE networks SET ipv4 = ?2, ipv6 = ?3, spec = ?4, generation = generation + 1 WHERE id = ?1",
                       network.id.value, subnet_text(network, Family::ipv4), subnet_text(network, Family::ipv6),
                       model::fields_json(network).dump());
    if (done) done = addresses::open_pools(connection, network);
    const bool grown = (network.ipv4 && !before->ipv4) || (network.ipv6 && !before->ipv6);
    for (const auto& jail : *jails)
        if (done && grown) done = addresses::assign(connection, jail.id, jail.spec.network);
    if (!done) return std::unexpected(done.error());
    return find(connection, network.name.text());
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

Result<model::Network> update(Connection& connection, const model::Network& network) {
    return in_savepoint(connection, [&] { return update_all(connection, network); });
}

Result<void> erase(Connection& connection, const model::Network& network) {
    auto jails = jails_of(connection, network);
    if (!jails) return std::unexpected(jails.error());
    if (!jails->empty()) {
        std::vector<std::string> names;
        for (const auto& jail : *jails) names.push_back(jail.name.text());
        return std::unexpected(
            Error{.code = Errc::conflict,
                  .op = "delete_network",
                  .detail = fmt::format("network \"{}\" has jails: {}", network.name.text(), fmt::join(names, ", ")),
                  .reason = "network_in_use",
                  .remedy = "remove these jails, or move them to another network"});
    }
    return connection.run("DELETE FROM networks WHERE id = ?1", network.id.value);  // its pools go with it
}

}  // namespace jaild::store::networks
