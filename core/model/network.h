#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/base/units.h"
#include "core/model/name.h"

namespace jaild::model {

/// How the jails of a network get an address of the host's on their way out.
struct Nat {
    bool on = true;
    std::string interface {};             ///< only what leaves by this one; empty: by any
    std::optional<IpAddress> address4{};  ///< nothing: that of the interface by which a packet leaves
    std::optional<IpAddress> address6{};
    bool operator==(const Nat&) const = default;
};

/// Both ends included, of one family, in order.
struct AddressRange {
    IpAddress first;
    IpAddress last;
    bool operator==(const AddressRange&) const = default;
    [[nodiscard]] bool contains(const IpAddress& address) const;
    /// "10.0.0.5", or "10.0.0.5-10.0.0.9"
    [[nodiscard]] std::string to_string() const;
};

/// A bridge with its subnets: ours, or with `bridge` one that the host has. The gateway of a family is the first
/// address of its subnet, on our bridge, unless `router4` or `router6` says who else is. At least one family.
struct Network {
    NetworkId id{};
    Name name;
    std::optional<Prefix> ipv4;          ///< network address and length
    std::optional<Prefix> ipv6;          ///< a ULA /64 (RFC 4193) unless somebody chose another
    std::optional<IpAddress> router4{};  ///< JSON: gateway4. A gateway that is not on our bridge
    std::optional<IpAddress> router6{};
    Nat nat{};
    std::string bridge{};  ///< the host's own, of which we add and remove members and change nothing else; empty: ours
    std::string uplink{};  ///< an interface of the host's that becomes a member of our bridge; empty: none
    unsigned vlan = 0;     ///< 1 … 4094: the member is a VLAN interface of ours on `uplink`; 0: none
    unsigned mtu = 1500;
    bool isolated = false;                 ///< jails cannot reach each other, only the gateway and what is behind it
    std::vector<IpAddress> nameservers{};  ///< of jails that name none
    std::vector<std::string> search{};
    std::vector<AddressRange> reserved{};  ///< never chosen for a jail; a jail that asks for one by name gets it
    std::map<std::string, std::string> labels{};
    Generation generation = 1;
    UtcTime created_at{};

    [[nodiscard]] const std::optional<Prefix>& subnet(Family family) const;
    /// Where jails send what is for elsewhere; nothing without that family.
    [[nodiscard]] std::optional<IpAddress> gateway(Family family) const;
    /// The gateway is ours: an address of our bridge.
    [[nodiscard]] bool is_gateway(Family family) const;
    /// What our bridge has: our gateways with their subnets' lengths.
    [[nodiscard]] std::vector<Prefix> bridge_addresses() const;
    /// It passes through this host on its way out.
    [[nodiscard]] bool forwards(Family family) const;
    /// The packet filter has rules of it. On a bridge of the host's only those that translate: the rest is its owner's.
    [[nodiscard]] bool has_rules() const;
    /// The host forwards and translates it: NAT is on, and the host is between this family and everything else. A
    /// public IPv6 prefix needs no translation and gets none, unless `nat.address6` asks for it.
    [[nodiscard]] bool translates(Family family) const;
    bool operator==(const Network&) const = default;
};

/// How much a network may hold; each is tested.
struct NetworkLimits {
    static constexpr std::size_t interface_bytes = 15;  ///< IFNAMSIZ less the NUL, both systems
    static constexpr std::size_t reserved = 256;
    static constexpr unsigned vlan_max = 4094;
    static constexpr unsigned mtu_min4 = 576;   ///< RFC 791 §3.1: what every host takes
    static constexpr unsigned mtu_min6 = 1280;  ///< RFC 8200 §5
    static constexpr unsigned mtu_max = 65535;
    static constexpr unsigned ipv4_shortest = 8;
    static constexpr unsigned ipv4_longest = 30;  ///< beyond it no host has a place beside the gateway
    static constexpr unsigned ipv6_shortest = 16;
    static constexpr unsigned ipv6_longest = 126;
};

/// A network that is asked for. A family that was not mentioned is chosen by whoever makes it.
struct NetworkRequest {
    Network network;
    bool choose4 = false;
    bool choose6 = false;
};

/// Reads a network's fields beside its name in one flat object, or without it. Unknown fields, wrong types and texts
/// that are none: Errc::invalid with their JSON pointer, as parse_spec. What they mean together: check_network().
Result<NetworkRequest> parse_named_network(const nlohmann::json& object);
Result<NetworkRequest> parse_network_fields(Name name, const nlohmann::json& object);

/// What can be known of a network without the host and other networks. Errc::invalid, with the JSON pointer:
/// "invalid_prefix" (host bits, too short or long, not for hosts), "address_outside", "address_reserved",
/// "address_is_gateway", "invalid_value", "missing_field", "field_not_applicable".
Result<void> check_network(const Network& network);

/// RFC 7396 on the JSON of `current`: null removes a subnet or an external gateway, and sets anything else to its
/// default. A patch of `name` is Errc::invalid "immutable_field".
Result<Network> merge_patch(const Network& current, const nlohmann::json& patch);

/// All fields but the name, defaults too: what parse_network_fields() reads back as the same network.
nlohmann::json fields_json(const Network& network);
/// {"name", "spec", "status", "generation", "created_at", "labels"}; `jails`: whose specs name it.
nlohmann::json to_json(const Network& network, const std::vector<std::string>& jails = {});

/// The strong entity tag, quotes included, as a jail's.
std::string etag(const Network& network);

}  // namespace jaild::model
