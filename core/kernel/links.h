#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/ip.h"
#include "core/kernel/scope.h"
#include "core/model/jail_spec.h"
#include "core/model/network.h"

namespace jaild::kernel {

/// What an interface takes from others on its network, of one family.
enum class Learns { nothing, addresses, addresses_and_route };

/// The pair of one of a jail's interfaces: its host end on the network's bridge, the other end inside under `name`.
struct LinkParameters {
    LinkId id;
    std::string name;  ///< inside: "vnet0"
    NetworkId network;
    std::vector<Prefix> addresses;    ///< inside
    std::vector<IpAddress> gateways;  ///< default routes, at most one of each family
    unsigned mtu = 1500;              ///< of the host end on a bridge of ours, which is the bridge's
    unsigned jail_mtu = 1500;         ///< of the jail's end
    std::string mac{};                ///< of the jail's end; empty: ours
    bool isolated = false;            ///< the bridge keeps it from other isolated members
    std::string bridge{};             ///< the host's own bridge that the network is on; empty: ours
    /// By router advertisements; `addresses` and `gateways` have none of that family then, and others of it stay.
    Learns slaac = Learns::nothing;
    Learns dhcp = Learns::nothing;  ///< the same of IPv4, from a DHCP server
    /// And its name servers and domain, for the jail's resolv.conf(5): the spec has none, and the root is ours.
    bool takes_names = false;
    bool operator==(const LinkParameters&) const = default;
};

/// Of which all addresses and default routes are ours to give.
std::vector<Family> given_families(const LinkParameters& parameters);

struct ObservedLink {
    LinkId id;
    bool host_end = false;          ///< present on the host, named and marked
    bool jail_end = false;          ///< present inside
    std::string name;               ///< of that; its root may have renamed it
    bool up = false;                ///< both ends
    NetworkId bridge;               ///< 0: not a member of a bridge of ours
    std::vector<Prefix> addresses;  ///< inside, without link-local
    std::vector<IpAddress> gateways;
    unsigned mtu = 0;           ///< inside
    std::string mac{};          ///< inside; empty: ours
    bool isolated = false;      ///< as a member of its bridge
    std::string host_bridge{};  ///< whose member it is, when that is none of ours
    bool advertised = false;    ///< it takes addresses from router advertisements
    bool client = false;        ///< a DHCP client of ours lives for it
    bool operator==(const ObservedLink&) const = default;
};

/// An address that a jail has on an interface of the host's own, model::NetworkMode::alias.
struct Alias {
    std::string interface;
    Prefix address;
    bool operator==(const Alias&) const = default;
    /// "em0 192.0.2.10/32"
    [[nodiscard]] std::string to_string() const { return interface + ' ' + address.to_string(); }
};

/// One that we gave: written down before it was added, for an address has no place for a mark.
struct ObservedAlias {
    Alias alias;
    bool present = false;  ///< it is on the interface, with that prefix length
    bool operator==(const ObservedAlias&) const = default;
};

struct ObservedBridge {
    NetworkId network;
    bool up = false;
    std::vector<Prefix> addresses;  ///< without link-local
    unsigned mtu = 0;
    std::string uplink{};      ///< that we put on it, or were about to
    unsigned vlan = 0;         ///< by a VLAN interface of ours; 0: the uplink itself
    bool uplink_whole = true;  ///< it is on it and up, or there is none
    std::size_t members = 0;   ///< others
    bool operator==(const ObservedBridge&) const = default;
};

/// Interfaces. Blocking, idempotent; any jail's worker (implementations lock where the kernel needs it).
class Links {
public:
    virtual ~Links() = default;
    /// In the order of their ids.
    virtual Result<std::vector<ObservedLink>> list(Scope scope) = 0;
    /// Makes what is missing of the pair and mends what differs: pair created inside the jail's vnet, both ends
    /// renamed and marked there, the host end taken out and put on the bridge, addresses and routes set inside.
    /// The jail exists already.
    virtual Result<void> ensure(const LinkParameters& parameters) = 0;
    /// Destroys both ends. Missing: success.
    virtual Result<void> destroy(LinkId id) = 0;

    /// Those that this jail was given since the host was started, in the order in which they were.
    virtual Result<std::vector<ObservedAlias>> aliases(JailId jail) = 0;
    /// Gives the jail the address, or puts it back. Errc::busy "address_in_use" when the host has it and this jail was
    /// not given it: another one may be about to give it back. Errc::invalid "interface_not_found".
    virtual Result<void> ensure_alias(JailId jail, const Alias& alias) = 0;
    /// Takes it from the interface and forgets it. One that the jail was not given: success, and nothing is touched.
    virtual Result<void> remove_alias(JailId jail, const Alias& alias) = 0;
    /// Can a jail be given it? Errors as above, the first as Errc::conflict; none for what one of `jails`, all of ours,
    /// was given: their rows say whose it is. Errc::unsupported "unsupported_network_mode" where no jail can have one.
    virtual Result<void> check_alias(const Alias& alias, const std::vector<JailId>& jails) = 0;

    virtual Result<std::vector<ObservedBridge>> bridges() = 0;
    /// Of a network on a bridge of ours.
    virtual Result<void> ensure_bridge(const model::Network& network) = 0;
    /// Errc::busy while it has members. Missing: success.
    virtual Result<void> remove_bridge(NetworkId network) = 0;
    /// Can this host do what the network asks for? Errc::unsupported "unsupported_network_field" with the field and the
    /// remedy; the refusals of check_network() in network_fields.h for the interfaces that it names.
    virtual Result<void> check(const model::Network& network) = 0;
    /// An interface's own, without link-local ones, sorted. Missing: none.
    virtual Result<std::vector<Prefix>> addresses(const std::string& interface) = 0;

    /// Can this host do what the interfaces ask for? Errc::unsupported with the field of the spec and the remedy. What
    /// a jail's own root lacks is seen when it is started.
    virtual Result<void> check(const model::NetworkSpec& spec) = 0;

    /// Every prefix that the host has on an interface or in a routing table, for choosing a free subnet.
    virtual Result<std::vector<Prefix>> used_prefixes() = 0;
    virtual Result<bool> forwarding(Family family) = 0;
    /// Raised, never lowered. Errc::unsupported "forwarding_unsafe", and nothing is changed, where that would take a
    /// default route away that the host has by router advertisement.
    virtual Result<void> enable_forwarding(Family family) = 0;
};

}  // namespace jaild::kernel
