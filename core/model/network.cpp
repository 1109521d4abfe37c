#include "core/model/network.h"

#include <array>
#include <nlohmann/json.hpp>

namespace jaild::model {
namespace {

constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

/// RFC 4193: fc00::/7.
bool is_unique_local(const Prefix& prefix) {
    return prefix.address.family == Family::ipv6 && (prefix.address.bytes[0] & 0xfeU) == 0xfc;
}

}  // namespace

bool AddressRange::contains(const IpAddress& address) const {
    return address.family == first.family && first.bytes <= address.bytes && address.bytes <= last.bytes;
}

std::string AddressRange::to_string() const {
    return first == last ? first.to_string() : first.to_string() + "-" + last.to_string();
}

const std::optional<Prefix>& Network::subnet(Family family) const {
    return family == Family::ipv4 ? ipv4 : ipv6;
}

std::optional<IpAddress> Network::gateway(Family family) const {
    const auto& prefix = subnet(family);
    if (!prefix) return std::nullopt;
    const auto& router = family == Family::ipv4 ? router4 : router6;
    return router ? *router : prefix->nth(1);
}

bool Network::is_gateway(Family family) const {
    return bridge.empty() && subnet(family) && !(family == Family::ipv4 ? router4 : router6);
}

std::vector<Prefix> Network::bridge_addresses() const {
    std::vector<Prefix> addresses;
    for (const auto family : kFamilies)
        if (is_gateway(family)) addresses.push_back({.address = *gateway(family), .length = subnet(family)->length});
    return addresses;
}

bool Network::forwards(Family family) const {
    return is_gateway(family) || translates(family);
}

bool Network::has_rules() const {
    return bridge.empty() || translates(Family::ipv4) || translates(Family::ipv6);
}

bool Network::translates(Family family) const {
    const auto& prefix = subnet(family);
    if (!nat.on || !prefix || (family == Family::ipv4 ? router4 : router6)) return false;
    return family == Family::ipv4 || is_unique_local(*prefix) || nat.address6;
}

nlohmann::json to_json(const Network& network, const std::vector<std::string>& jails) {
    nlohmann::json gateways = nlohmann::json::array();
    for (const auto family : kFamilies)
        if (const auto gateway = network.gateway(family)) gateways.push_back(gateway->to_string());
    return {{"name", network.name.text()},
            {"spec", fields_json(network)},
            {"status", {{"gateways", std::move(gateways)}, {"jails", jails}}},
            {"generation", network.generation},
            {"created_at", network.created_at.to_string()},
            {"labels", network.labels}};
}

std::string etag(const Network& network) {
    return "\"" + std::to_string(network.id.value) + "." + std::to_string(network.generation) + "\"";
}

}  // namespace jaild::model
