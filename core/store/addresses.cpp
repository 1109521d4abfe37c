#include "core/store/addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "core/store/networks.h"
#include "core/store/sqlite_error.h"

namespace jaild::store::addresses {
namespace {

/// One row of the table.
struct Assigned {
    NetworkId network;
    IpAddress address;
    bool operator==(const Assigned&) const = default;
};

std::int64_t family_number(Family family) {
    return family == Family::ipv4 ? 4 : 6;
}
std::size_t byte_count(Family family) {
    return family == Family::ipv4 ? 4 : 16;
}
BlobView bytes_of(const IpAddress& address) {
    return {address.bytes.data(), byte_count(address.family)};
}

Result<IpAddress> address_from(std::int64_t family, const std::string& bytes) {
    IpAddress address{.family = family == 4 ? Family::ipv4 : Family::ipv6, .bytes = {}};
    if (bytes.size() != byte_count(address.family)) {
        return std::unexpected(corrupt("read_address", "the row of an address is damaged"));
    }
    std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
    return address;
}

Result<std::vector<Assigned>> assigned_to(Connection& connection, JailId jail) {
    return all_rows<Assigned>(
        connection.prepare("SELECT network, family, address FROM addresses WHERE jail = ?1", jail.value),
        [](const Statement& row) -> Result<Assigned> {
            auto address = address_from(row.integer(1), row.blob(2));
            if (!address) return std::unexpected(address.error());
            return Assigned{.network = NetworkId{row.integer(0)}, .address = *address};
        });
}

Result<void> check_static(const model::Network& network, const Prefix& wanted, const std::string& field) {
    const auto family = wanted.address.family;
    if (!network.subnet(family)) {
        return std::unexpected(Error::invalid(
            "address_outside", field,
            fmt::format("network \"{}\" has no {}", network.name.text(), family == Family::ipv4 ? "IPv4" : "IPv6")));
    }
    const auto& subnet = *network.subnet(family);
    if (wanted.length != subnet.length || !subnet.contains(wanted.address)) {
        return std::unexpected(
            Error::invalid("address_outside", field,
                           fmt::format("{} is not an address of network \"{}\", {}", wanted.to_string(),
                                       network.name.text(), subnet.to_string())));
    }
    const bool broadcast = wanted.address.family == Family::ipv4 && wanted.address == subnet.last();
    // All host bits zero: the subnet itself, in IPv6 the anycast address of its routers (RFC 4291 §2.6.1).
    if (wanted.address == subnet.network().address || broadcast) {
        return std::unexpected(Error::invalid(
            "address_reserved", field,
            fmt::format("{} is {} of network \"{}\"", wanted.to_string(),
                        broadcast ? "the broadcast address" : "the first address", network.name.text())));
    }
    if (wanted.address == network.gateway(family)) {
        return std::unexpected(Error::invalid(
            "address_is_gateway", field,
            fmt::format("{} is the gateway of network \"{}\"", wanted.to_string(), network.name.text())));
    }
    return {};
}

Result<void> take(Connection& connection, JailId jail, const Assigned& wanted) {
    return connection.run("INSERT INTO addresses (network, family, address, jail) VALUES (?1, ?2, ?3, ?4)",
                          wanted.network.value, family_number(wanted.address.family), bytes_of(wanted.address),
                          jail.value);
}

Result<void> take_static(Connection& connection, JailId jail, const Assigned& wanted, const std::string& field) {
    auto holder = first_text(
        connection.prepare("SELECT jails.name FROM addresses JOIN jails ON jails.id = addresses.jail"
                           " WHERE network = ?1 AND family = ?2 AND address = ?3",
                           wanted.network.value, family_number(wanted.address.family), bytes_of(wanted.address)));
    if (!holder) return std::unexpected(holder.error());
    if (!*holder) return take(connection, jail, wanted);
    return std::unexpected(
        Error{.code = Errc::conflict,
              .op = "assign_address",
              .detail = fmt::format("{} belongs to jail \"{}\"", wanted.address.to_string(), **holder),
              .reason = "address_in_use",
              .field = field,
              .remedy = "give another address, or none to have one assigned"});
}

IpAddress next(IpAddress address) {
    for (std::size_t i = byte_count(address.family); i-- > 0;) {
        if (++address.bytes[i] != 0) break;
    }
    return address;
}

/// Itself, or the first behind it that the network does not keep for others.
IpAddress skip_reserved(const model::Network& network, IpAddress candidate) {
    for (bool again = true; again;) {
        again = candidate == network.gateway(candidate.family);
        if (again) candidate = next(candidate);
        for (const auto& range : network.reserved) {
            if (!range.contains(candidate)) continue;
            candidate = next(range.last);
            again = true;
        }
    }
    return candidate;
}

/// From the lowest that may be free upwards to the first that is. One beyond the subnet: there is none.
Result<IpAddress> lowest_free(Connection& connection, const model::Network& network, Family family) {
    auto begin =
        first_row<IpAddress>(connection.prepare("SELECT lowest FROM pools WHERE network = ?1 AND family = ?2",
                                                network.id.value, family_number(family)),
                             [&](const Statement& row) { return address_from(family_number(family), row.blob(0)); });
    if (!begin) return std::unexpected(begin.error());
    if (!*begin) return std::unexpected(corrupt("assign_address", "a network has no pool of addresses"));
    auto candidate = skip_reserved(network, **begin);
    auto used = connection.prepare(
        "SELECT address FROM addresses WHERE network = ?1 AND family = ?2 AND address >= ?3 ORDER BY address",
        network.id.value, family_number(family), bytes_of(candidate));
    for (;;) {
        auto more = used.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        auto address = address_from(family_number(family), used.blob(0));
        if (!address) return std::unexpected(address.error());
        if (*address < candidate) continue;  // within what is reserved
        if (*address != candidate) break;
        candidate = skip_reserved(network, next(candidate));
    }
    return candidate;
}

Result<void> take_free(Connection& connection, JailId jail, const model::Network& network, Family family) {
    auto free = lowest_free(connection, network, family);
    if (!free) return std::unexpected(free.error());
    const auto& subnet = *network.subnet(family);
    const bool broadcast = family == Family::ipv4 && *free == subnet.last();
    // /31, /32, /127 and /128 have no host beside the gateway.
    if (subnet.length + 2 > free->bits() || !subnet.contains(*free) || broadcast) {
        return std::unexpected(Error{
            .code = Errc::exhausted,
            .op = "assign_address",
            .detail = fmt::format("network \"{}\", {}, has no free address", network.name.text(), subnet.to_string()),
            .reason = "addresses_exhausted",
            .field = "/network/interfaces/0/network",
            .remedy = "remove a jail, or use another network"});
    }
    if (auto taken = take(connection, jail, {network.id, *free}); !taken) return taken;
    return connection.run("UPDATE pools SET lowest = ?3 WHERE network = ?1 AND family = ?2", network.id.value,
                          family_number(family), bytes_of(next(*free)));
}

/// What of `current` may stay: on the interface's network, and the static address where its family has one.
bool still_fits(const Assigned& current, NetworkId network, const std::vector<Prefix>& statics) {
    if (current.network != network) return false;
    return std::ranges::all_of(statics, [&](const Prefix& wanted) {
        return wanted.address.family != current.address.family || wanted.address == current.address;
    });
}

Result<void> release(Connection& connection, const Assigned& row) {
    return connection.run("DELETE FROM addresses WHERE network = ?1 AND family = ?2 AND address = ?3",
                          row.network.value, family_number(row.address.family), bytes_of(row.address));
}

Result<model::Network> network_of(Connection& connection, const model::InterfaceSpec& interface) {
    auto network = networks::find(connection, interface.network);
    if (network || network.error().code != Errc::not_found) return network;
    return std::unexpected(
        Error::invalid("network_not_found", "/network/interfaces/0/network", network.error().detail));
}

Result<void> assign_on(Connection& connection, JailId jail, const model::InterfaceSpec& interface,
                       std::vector<Assigned> current) {
    auto network = network_of(connection, interface);
    if (!network) return std::unexpected(network.error());
    std::size_t index = 0;
    for (const auto& wanted : interface.addresses) {
        const auto field = fmt::format("/network/interfaces/0/addresses/{}", index++);
        if (auto fine = check_static(*network, wanted, field); !fine) return fine;
    }
    // Releases come before anything is taken: a jail may get back what it has just given up.
    std::vector<Assigned> kept;
    for (const auto& row : current) {
        if (still_fits(row, network->id, interface.addresses)) {
            kept.push_back(row);
        } else if (auto released = release(connection, row); !released) {
            return released;
        }
    }
    index = 0;
    for (const auto& wanted : interface.addresses) {
        const auto field = fmt::format("/network/interfaces/0/addresses/{}", index++);
        const Assigned row{.network = network->id, .address = wanted.address};
        if (std::ranges::find(kept, row) != kept.end()) continue;
        if (auto taken = take_static(connection, jail, row, field); !taken) return taken;
        kept.push_back(row);
    }
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        if (!network->subnet(family)) continue;
        if (std::ranges::any_of(kept, [&](const Assigned& row) { return row.address.family == family; })) continue;
        if (auto taken = take_free(connection, jail, *network, family); !taken) return taken;
    }
    return {};
}

}  // namespace

Result<void> open_pools(Connection& connection, const model::Network& network) {
    constexpr std::uint64_t first = 1;  // 0 is the subnet itself
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        const auto& subnet = network.subnet(family);
        if (!subnet) continue;
        auto done = connection.run("INSERT OR REPLACE INTO pools (network, family, lowest) VALUES (?1, ?2, ?3)",
                                   network.id.value, family_number(family), bytes_of(subnet->nth(first)));
        if (!done) return done;
    }
    return {};
}

Result<std::vector<AddressOwner>> owners(Connection& connection) {
    return all_rows<AddressOwner>(
        connection.prepare("SELECT jails.id, jails.name, networks.id, networks.name, family, address,"
                           " coalesce(json_extract(networks.spec, '$.isolated'), 0) FROM addresses"
                           " JOIN jails ON jails.id = jail JOIN networks ON networks.id = network"
                           " ORDER BY network, jail, family, address"),
        [](const Statement& row) -> Result<AddressOwner> {
            auto address = address_from(row.integer(4), row.blob(5));
            if (!address) return std::unexpected(address.error());
            return AddressOwner{.jail = JailId{row.integer(0)},
                                .name = row.text(1),
                                .network = NetworkId{row.integer(2)},
                                .network_name = row.text(3),
                                .address = *address,
                                .isolated = row.integer(6) != 0};
        });
}

Result<std::vector<Prefix>> of_jail(Connection& connection, JailId jail) {
    return all_rows<Prefix>(
        connection.prepare("SELECT family, address, iif(family = 4, ipv4, ipv6)"
                           " FROM addresses JOIN networks ON networks.id = addresses.network"
                           " WHERE jail = ?1 ORDER BY family, network, address",
                           jail.value),
        [](const Statement& row) -> Result<Prefix> {
            auto address = address_from(row.integer(0), row.blob(1));
            if (!address) return std::unexpected(address.error());
            auto subnet = Prefix::parse(row.text(2));
            if (!subnet) return std::unexpected(corrupt("read_address", "a subnet is damaged: " + row.text(2)));
            return Prefix{.address = *address, .length = subnet->length};
        });
}

Result<void> assign(Connection& connection, JailId jail, const model::NetworkSpec& spec) {
    if (spec.mode == model::NetworkMode::none || spec.interfaces.empty()) {
        return connection.run("DELETE FROM addresses WHERE jail = ?1", jail.value);
    }
    auto current = assigned_to(connection, jail);
    if (!current) return std::unexpected(current.error());
    return assign_on(connection, jail, spec.interfaces.front(), *std::move(current));
}

}  // namespace jaild::store::addresses
