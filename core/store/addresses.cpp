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
    unsigned interface = 0;
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
        connection.prepare("SELECT network, family, address, interface FROM addresses WHERE jail = ?1", jail.value),
        [](const Statement& row) -> Result<Assigned> {
            auto address = address_from(row.integer(1), row.blob(2));
            if (!address) return std::unexpected(address.error());
            return Assigned{.network = NetworkId{row.integer(0)},
                            .address = *address,
                            .interface = static_cast<unsigned>(row.integer(3))};
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
    return connection.run(
        "INSERT INTO addresses (network, family, address, jail, interface) VALUES (?1, ?2, ?3, ?4, ?5)",
        wanted.network.value, family_number(wanted.address.family), bytes_of(wanted.address), jail.value,
        std::int64_t{wanted.interface});
}

struct Holder {
    std::string name;
    JailId id;
};

Result<std::optional<Holder>> holder_of_alias(Connection& connection, const IpAddress& address) {
    return first_row<Holder>(
        connection.prepare("SELECT jails.name, jails.id FROM aliases JOIN jails ON jails.id = aliases.jail"
                           " WHERE family = ?1 AND address = ?2",
                           family_number(address.family), bytes_of(address)),
        [](const Statement& row) -> Result<Holder> {
            return Holder{.name = row.text(0), .id = JailId{row.integer(1)}};
        });
}

Error in_use(const IpAddress& address, const std::string& owner, const std::string& field) {
    return {.code = Errc::conflict,
            .op = "assign_address",
            .detail = fmt::format("{} belongs to {}", address.to_string(), owner),
            .reason = "address_in_use",
            .field = field,
            .remedy = "give another address"};
}

Result<void> take_static(Connection& connection, JailId jail, const Assigned& wanted, const std::string& field) {
    const auto alias = holder_of_alias(connection, wanted.address);
    if (!alias) return std::unexpected(alias.error());
    if (*alias && (*alias)->id != jail)
        return std::unexpected(in_use(wanted.address, fmt::format("jail \"{}\"", (*alias)->name), field));
    auto holder = first_row<Holder>(
        connection.prepare("SELECT jails.name, jails.id FROM addresses JOIN jails ON jails.id = addresses.jail"
                           " WHERE network = ?1 AND family = ?2 AND address = ?3",
                           wanted.network.value, family_number(wanted.address.family), bytes_of(wanted.address)),
        [](const Statement& row) -> Result<Holder> {
            return Holder{.name = row.text(0), .id = JailId{row.integer(1)}};
        });
    if (!holder) return std::unexpected(holder.error());
    if (!*holder) return take(connection, jail, wanted);
    if ((*holder)->id == jail) {
        return std::unexpected(Error::invalid("address_in_use", field,
                                              wanted.address.to_string() + " is another interface's of this jail"));
    }
    auto error = in_use(wanted.address, fmt::format("jail \"{}\"", (*holder)->name), field);
    error.remedy = "give another address, or none to have one assigned";
    return std::unexpected(std::move(error));
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

/// What one of the spec's interfaces asks for.
struct Wanted {
    unsigned index = 0;
    model::Network network;
    const model::InterfaceSpec* spec = nullptr;

    /// JSON pointer of one of its fields.
    [[nodiscard]] std::string field(std::string_view name) const {
        return fmt::format("/network/interfaces/{}/{}", index, name);
    }
    [[nodiscard]] std::string address_field(std::size_t which) const {
        return fmt::format("/network/interfaces/{}/addresses/{}", index, which);
    }
};

Result<void> take_free(Connection& connection, JailId jail, const Wanted& wanted, Family family) {
    const auto& network = wanted.network;
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
            .field = wanted.field("network"),
            .remedy = "remove a jail, or use another network"});
    }
    const Assigned row{.network = network.id, .address = *free, .interface = wanted.index};
    if (auto taken = take(connection, jail, row); !taken) return taken;
    return connection.run("UPDATE pools SET lowest = ?3 WHERE network = ?1 AND family = ?2", network.id.value,
                          family_number(family), bytes_of(next(*free)));
}

Result<void> release(Connection& connection, const Assigned& row) {
    return connection.run("DELETE FROM addresses WHERE network = ?1 AND family = ?2 AND address = ?3",
                          row.network.value, family_number(row.address.family), bytes_of(row.address));
}

/// What others on the network give out is of its subnets all the same: nothing else may come from there.
Result<void> check_learned(const Wanted& wanted) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        if (!wanted.spec->learns(family) || wanted.network.subnet(family)) continue;
        const auto* name = family == Family::ipv4 ? "ipv4" : "ipv6";
        auto error = Error::invalid("field_not_applicable", wanted.field(name),
                                    fmt::format("network \"{}\" has no {}", wanted.network.name.text(),
                                                family == Family::ipv4 ? "IPv4 subnet" : "IPv6 prefix"));
        error.remedy = "give it the one that addresses there are of";
        return std::unexpected(std::move(error));
    }
    return {};
}

Result<std::vector<Wanted>> read_wanted(Connection& connection, const model::NetworkSpec& spec) {
    std::vector<Wanted> all;
    if (spec.mode == model::NetworkMode::alias) return all;  // on no network
    for (const auto& interface : spec.interfaces) {
        const auto index = static_cast<unsigned>(all.size());
        auto network = networks::find(connection, interface.network);
        if (!network && network.error().code == Errc::not_found) {
            return std::unexpected(Error::invalid(
                "network_not_found", fmt::format("/network/interfaces/{}/network", index), network.error().detail));
        }
        if (!network) return std::unexpected(network.error());
        all.push_back({.index = index, .network = *std::move(network), .spec = &interface});
        if (const auto most = all.back().network.mtu; interface.mtu > most) {
            return std::unexpected(
                Error::invalid("mtu_too_large", all.back().field("mtu"),
                               fmt::format("network \"{}\" has an MTU of {}", all.back().network.name.text(), most)));
        }
        if (auto fine = check_learned(all.back()); !fine) return std::unexpected(fine.error());
        for (std::size_t which = 0; which < interface.addresses.size(); ++which) {
            auto fine = check_static(all.back().network, interface.addresses[which], all.back().address_field(which));
            if (!fine) return std::unexpected(fine.error());
        }
    }
    return all;
}

/// What may stay: on its interface's network, and the static address where its family has one.
bool still_fits(const Assigned& current, const std::vector<Wanted>& all) {
    if (current.interface >= all.size()) return false;
    const auto& wanted = all[current.interface];
    if (current.network != wanted.network.id || wanted.spec->learns(current.address.family)) return false;
    return std::ranges::all_of(wanted.spec->addresses, [&](const Prefix& fixed) {
        return fixed.address.family != current.address.family || fixed.address == current.address;
    });
}

/// Gives up what does not fit any more; answers the rest. Releases come before anything is taken: a jail may get back
/// what it has just given up.
Result<std::vector<Assigned>> keep_fitting(Connection& connection, JailId jail, const std::vector<Wanted>& all) {
    auto current = assigned_to(connection, jail);
    if (!current) return current;
    std::vector<Assigned> kept;
    for (const auto& row : *current) {
        if (still_fits(row, all)) {
            kept.push_back(row);
        } else if (auto released = release(connection, row); !released) {
            return std::unexpected(released.error());
        }
    }
    return kept;
}

Result<void> check_mac_free(Connection& connection, const Wanted& wanted) {
    if (wanted.spec->mac.empty()) return {};
    auto holder =
        first_text(connection.prepare("SELECT jails.name FROM interfaces JOIN jails ON jails.id = jail"
                                      " WHERE network = ?1 AND mac = ?2",
                                      wanted.network.id.value, wanted.spec->mac));
    if (!holder) return std::unexpected(holder.error());
    if (!*holder) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "assign_address",
                                 .detail = fmt::format("jail \"{}\" has {} on network \"{}\"", **holder,
                                                       wanted.spec->mac, wanted.network.name.text()),
                                 .reason = "mac_in_use",
                                 .field = wanted.field("mac"),
                                 .remedy = "give another one, or none"});
}

Result<void> write_interfaces(Connection& connection, JailId jail, const std::vector<Wanted>& all) {
    auto done = connection.run("DELETE FROM interfaces WHERE jail = ?1", jail.value);
    for (const auto& wanted : all) {
        if (done) done = check_mac_free(connection, wanted);
        if (!done) break;
        const auto& mac = wanted.spec->mac;
        done = connection.run("INSERT INTO interfaces (jail, number, network, mac) VALUES (?1, ?2, ?3, ?4)", jail.value,
                              std::int64_t{wanted.index}, wanted.network.id.value,
                              mac.empty() ? std::nullopt : std::optional(mac));
    }
    return done;
}

Result<void> take_statics(Connection& connection, JailId jail, const Wanted& wanted, std::vector<Assigned>& kept) {
    std::size_t which = 0;
    for (const auto& fixed : wanted.spec->addresses) {
        const auto field = wanted.address_field(which++);
        const Assigned row{.network = wanted.network.id, .address = fixed.address, .interface = wanted.index};
        if (std::ranges::find(kept, row) != kept.end()) continue;
        if (auto taken = take_static(connection, jail, row, field); !taken) return taken;
        kept.push_back(row);
    }
    return {};
}

bool is_reserved(const model::Network& network, const IpAddress& address) {
    return std::ranges::any_of(network.reserved, [&](const auto& range) { return range.contains(address); });
}

/// One that the network may give to a jail, or has itself.
bool claims(const model::Network& network, const IpAddress& address) {
    const auto& subnet = network.subnet(address.family);
    return subnet && subnet->contains(address) && !is_reserved(network, address);
}

Result<void> take_alias(Connection& connection, JailId jail, const std::vector<model::Network>& networks,
                        const IpAddress& address, const std::string& field) {
    const auto holder = holder_of_alias(connection, address);
    if (!holder) return std::unexpected(holder.error());
    if (*holder) return std::unexpected(in_use(address, fmt::format("jail \"{}\"", (*holder)->name), field));
    for (const auto& network : networks) {
        if (claims(network, address) || address == network.gateway(address.family))
            return std::unexpected(in_use(address, fmt::format("network \"{}\"", network.name.text()), field));
    }
    auto given =
        first_text(connection.prepare("SELECT jails.name FROM addresses JOIN jails ON jails.id = jail"
                                      " WHERE family = ?1 AND address = ?2 AND jail <> ?3",
                                      family_number(address.family), bytes_of(address), jail.value));
    if (!given) return std::unexpected(given.error());
    if (*given) return std::unexpected(in_use(address, fmt::format("jail \"{}\"", **given), field));
    return connection.run("INSERT INTO aliases (family, address, jail) VALUES (?1, ?2, ?3)",
                          family_number(address.family), bytes_of(address), jail.value);
}

/// The jail's are those of `spec`.
Result<void> assign_aliases(Connection& connection, JailId jail, const model::NetworkSpec& spec) {
    if (auto released = connection.run("DELETE FROM aliases WHERE jail = ?1", jail.value); !released) return released;
    if (spec.mode != model::NetworkMode::alias) return {};
    const auto networks = networks::all(connection);
    if (!networks) return std::unexpected(networks.error());
    for (std::size_t index = 0; index < spec.interfaces.size(); ++index) {
        const auto& addresses = spec.interfaces[index].addresses;
        for (std::size_t which = 0; which < addresses.size(); ++which) {
            const auto field = fmt::format("/network/interfaces/{}/addresses/{}", index, which);
            auto taken = take_alias(connection, jail, *networks, addresses[which].address, field);
            if (!taken) return taken;
        }
    }
    return {};
}

Result<void> take_missing(Connection& connection, JailId jail, const Wanted& wanted,
                          const std::vector<Assigned>& kept) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
        if (!wanted.network.subnet(family) || wanted.spec->learns(family)) continue;
        const bool has = std::ranges::any_of(
            kept, [&](const Assigned& row) { return row.interface == wanted.index && row.address.family == family; });
        if (has) continue;
        if (auto taken = take_free(connection, jail, wanted, family); !taken) return taken;
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

Result<void> check_aliases_outside(Connection& connection, const model::Network& network) {
    struct Given {
        IpAddress address;
        std::string jail;
    };
    auto all = all_rows<Given>(
        connection.prepare("SELECT family, address, jails.name FROM aliases JOIN jails ON jails.id = jail"),
        [](const Statement& row) -> Result<Given> {
            auto address = address_from(row.integer(0), row.blob(1));
            if (!address) return std::unexpected(address.error());
            return Given{.address = *address, .jail = row.text(2)};
        });
    if (!all) return std::unexpected(all.error());
    for (const auto& [address, jail] : *all) {
        if (!claims(network, address) && address != network.gateway(address.family)) continue;
        auto error = in_use(address, fmt::format("jail \"{}\", on an interface of the host", jail),
                            address.family == Family::ipv4 ? "/ipv4" : "/ipv6");
        error.remedy = "choose another subnet, or reserve the address";
        return std::unexpected(std::move(error));
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

Result<std::vector<model::AssignedInterface>> of_jail(Connection& connection, JailId jail) {
    auto statement = connection.prepare(
        "SELECT interfaces.network, number, family, address, iif(family = 4, ipv4, ipv6)"
        " FROM interfaces JOIN networks ON networks.id = interfaces.network"
        " LEFT JOIN addresses ON addresses.jail = interfaces.jail AND interface = number"
        " WHERE interfaces.jail = ?1 ORDER BY number, family, address",
        jail.value);
    std::vector<model::AssignedInterface> interfaces;
    for (;;) {
        auto more = statement.step();
        if (!more) return std::unexpected(more.error());
        if (!*more) return interfaces;
        const auto index = static_cast<std::size_t>(statement.integer(1));
        if (index > interfaces.size()) return std::unexpected(corrupt("read_address", "an interface is missing"));
        if (index == interfaces.size())
            interfaces.push_back({.network = NetworkId{statement.integer(0)}, .addresses = {}});
        if (statement.null(2)) continue;  // it has no address
        auto address = address_from(statement.integer(2), statement.blob(3));
        if (!address) return std::unexpected(address.error());
        auto subnet = Prefix::parse(statement.text(4));
        if (!subnet) return std::unexpected(corrupt("read_address", "a subnet is damaged: " + statement.text(4)));
        interfaces.back().addresses.push_back({.address = *address, .length = subnet->length});
    }
}

Result<void> assign(Connection& connection, JailId jail, const model::NetworkSpec& spec) {
    auto all = read_wanted(connection, spec);
    if (!all) return std::unexpected(all.error());
    auto kept = keep_fitting(connection, jail, *all);
    if (!kept) return std::unexpected(kept.error());
    if (auto written = write_interfaces(connection, jail, *all); !written) return written;
    // Static ones of all interfaces first: none of them must be given to another one.
    if (auto given = assign_aliases(connection, jail, spec); !given) return given;
    for (const auto& wanted : *all)
        if (auto taken = take_statics(connection, jail, wanted, *kept); !taken) return taken;
    for (const auto& wanted : *all)
        if (auto taken = take_missing(connection, jail, wanted, *kept); !taken) return taken;
    return {};
}

}  // namespace jaild::store::addresses
