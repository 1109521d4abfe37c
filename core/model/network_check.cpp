#include <array>
#include <utility>

#include "core/model/fields.h"
#include "core/model/network.h"

/// What a network's fields mean together.
namespace jaild::model {
namespace {

struct FamilyFields {
    Family family;
    const char* subnet;
    const char* gateway;
    const char* nat_address;
};
constexpr std::array kBoth{FamilyFields{Family::ipv4, "/ipv4", "/gateway4", "/nat/address4"},
                           FamilyFields{Family::ipv6, "/ipv6", "/gateway6", "/nat/address6"}};

const char* name_of(Family family) {
    return family == Family::ipv4 ? "IPv4" : "IPv6";
}

auto refuse(std::string_view reason, const std::string& field, std::string detail) {
    return std::unexpected(Error::invalid(reason, field, std::move(detail)));
}

/// RFC 6890: no jail can have one of these and be reached.
bool is_for_hosts(const Prefix& prefix) {
    static constexpr std::array kOthers{"0.0.0.0/8",   "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4",
                                        "240.0.0.0/4", "::/8",        "fe80::/10",      "ff00::/8"};
    for (const auto* text : kOthers)
        if (const auto other = Prefix::parse(text); other && other->overlaps(prefix)) return false;
    return true;
}

Result<void> check_subnet(const Prefix& prefix, const FamilyFields& at) {
    if (prefix.address.family != at.family)
        return refuse("invalid_prefix", at.subnet, prefix.to_string() + " is not of " + name_of(at.family));
    if (prefix != prefix.network())
        return refuse("invalid_prefix", at.subnet,
                      prefix.to_string() + " has host bits set: the network is " + prefix.network().to_string());
    const bool four = at.family == Family::ipv4;
    const auto shortest = four ? NetworkLimits::ipv4_shortest : NetworkLimits::ipv6_shortest;
    const auto longest = four ? NetworkLimits::ipv4_longest : NetworkLimits::ipv6_longest;
    if (prefix.length < shortest || prefix.length > longest)
        return refuse("invalid_prefix", at.subnet,
                      prefix.to_string() + ": a network of " + name_of(at.family) + " is from /" +
                          std::to_string(shortest) + " to /" + std::to_string(longest));
    if (!is_for_hosts(prefix))
        return refuse("invalid_prefix", at.subnet, prefix.to_string() + " holds addresses that no host can have");
    return {};
}

/// IPv6 has no broadcast; its first address is that of a subnet's routers (RFC 4291 §2.6.1).
bool is_first_or_last(const Prefix& subnet, const IpAddress& address) {
    return address == subnet.address || (address.family == Family::ipv4 && address == subnet.last());
}

Result<void> check_gateway(const Network& network, const FamilyFields& at) {
    const auto& router = at.family == Family::ipv4 ? network.router4 : network.router6;
    if (!router) return {};
    if (router->family != at.family)
        return refuse("invalid_address", at.gateway, router->to_string() + " is not of " + name_of(at.family));
    const auto& subnet = network.subnet(at.family);
    if (!subnet)
        return refuse("field_not_applicable", at.gateway,
                      std::string("a gateway without a subnet of ") + name_of(at.family));
    if (!subnet->contains(*router))
        return refuse("address_outside", at.gateway, router->to_string() + " is not in " + subnet->to_string());
    if (is_first_or_last(*subnet, *router))
        return refuse("address_reserved", at.gateway,
                      router->to_string() + " is the first or the last address of " + subnet->to_string());
    return {};
}

Result<void> check_nat(const Network& network) {
    if (!network.nat.on) return {};
    for (const auto& at : kBoth) {
        const auto& address = at.family == Family::ipv4 ? network.nat.address4 : network.nat.address6;
        if (!address) continue;
        if (address->family != at.family)
            return refuse("invalid_address", at.nat_address, address->to_string() + " is not of " + name_of(at.family));
        if (!network.translates(at.family))
            return refuse("field_not_applicable", at.nat_address,
                          std::string("nothing of ") + name_of(at.family) + " goes through this host");
        if (network.subnet(at.family)->contains(*address))
            return refuse("invalid_value", at.nat_address, address->to_string() + " is an address of the network");
    }
    if (network.translates(Family::ipv4) || network.translates(Family::ipv6)) return {};
    auto error = Error::invalid("field_not_applicable", "/nat",
                                "there is nothing to translate: the gateways are not this host, or there is only a "
                                "public IPv6 prefix, which needs no NAT");
    error.remedy = "set nat to false";
    return std::unexpected(std::move(error));
}

Result<void> check_bridge(const Network& network) {
    if (!network.bridge.empty() && !network.uplink.empty())
        return refuse("field_not_applicable", "/uplink",
                      "a bridge of the host's has the members that its owner gave it");
    if (!network.bridge.empty() && network.isolated)
        return refuse("field_not_applicable", "/isolated",
                      "who reaches whom on a bridge of the host's is its owner's to say");
    if (network.vlan != 0 && network.uplink.empty())
        return refuse("field_not_applicable", "/vlan", "a VLAN is one of an uplink: name it");
    if (network.ipv6 && network.mtu < NetworkLimits::mtu_min6)
        return refuse("invalid_value", "/mtu",
                      "IPv6 needs an MTU of " + std::to_string(NetworkLimits::mtu_min6) + " at least");
    return {};
}

Result<void> check_reserved(const Network& network) {
    for (std::size_t i = 0; i < network.reserved.size(); ++i) {
        const auto& range = network.reserved[i];
        const auto at = pointer("/reserved", i);
        if (range.first.family != range.last.family || range.last < range.first)
            return refuse("invalid_value", at, range.to_string() + " ends before it begins");
        const auto& subnet = network.subnet(range.first.family);
        if (!subnet || !subnet->contains(range.first) || !subnet->contains(range.last))
            return refuse("address_outside", at,
                          range.to_string() + " is not in " + (subnet ? subnet->to_string() : "any subnet of it"));
        if (range.first == range.last && range.first == network.gateway(range.first.family))
            return refuse("address_is_gateway", at, range.to_string() + " is the gateway, which no jail ever gets");
        for (std::size_t k = 0; k < i; ++k)
            if (network.reserved[k].contains(range.first) || range.contains(network.reserved[k].first))
                return refuse("invalid_value", at, range.to_string() + " overlaps " + network.reserved[k].to_string());
    }
    return {};
}

}  // namespace

Result<void> check_network(const Network& network) {
    if (!network.ipv4 && !network.ipv6)
        return refuse("missing_field", "/ipv4", "a network has an IPv4 subnet, an IPv6 prefix or both");
    for (const auto& at : kBoth) {
        if (const auto& subnet = network.subnet(at.family))
            if (auto good = check_subnet(*subnet, at); !good) return good;
        if (auto good = check_gateway(network, at); !good) return good;
    }
    if (auto good = check_bridge(network); !good) return good;
    if (auto good = check_nat(network); !good) return good;
    return check_reserved(network);
}

}  // namespace jaild::model
