#include "core/kernel/network_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/kernel/names.h"

namespace jaild::kernel {
namespace {

auto in_use(std::string_view reason, const char* field, std::string detail, std::string remedy) {
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "check_network",
                                 .detail = std::move(detail),
                                 .reason = reason,
                                 .field = field,
                                 .remedy = std::move(remedy)});
}

auto refuse(std::string_view reason, const char* field, std::string detail, std::string remedy) {
    auto error = Error::invalid(reason, field, std::move(detail));
    error.remedy = std::move(remedy);
    return std::unexpected(std::move(error));
}

constexpr const char* kAnotherUplink =
    "name another interface; or move its addresses to a bridge of the host's, and name that as bridge";

Result<HostInterface> find_named(const FindInterface& find, const std::string& name, const char* field) {
    auto found = find(name);
    if (!found) return std::unexpected(found.error());
    if (*found) return std::move(**found);
    return std::unexpected(interface_not_found(name, field));
}

const char* gateway_field(Family family) {
    return family == Family::ipv4 ? "/gateway4" : "/gateway6";
}

bool is_reserved(const model::Network& network, const IpAddress& address) {
    return std::ranges::any_of(network.reserved, [&](const auto& range) { return range.contains(address); });
}

/// Somebody must be the gateway, and no jail may get an address that the bridge has.
Result<void> check_bridge_addresses(const model::Network& network, const HostInterface& bridge) {
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const auto& subnet = network.subnet(family);
        if (!subnet) continue;
        const auto gateway = *network.gateway(family);
        const auto is_gateway = [&](const Prefix& own) { return own.address == gateway; };
        const bool named = (family == Family::ipv4 ? network.router4 : network.router6).has_value();
        if (!named && std::ranges::none_of(bridge.addresses, is_gateway))
            return refuse("gateway_unknown", gateway_field(family),
                          fmt::format("{} has not the address {}, the first one of {}, and jaild gives it none",
                                      bridge.name, gateway.to_string(), subnet->to_string()),
                          "say which address in the subnet is the gateway's");
        for (const auto& own : bridge.addresses)
            if (subnet->contains(own.address) && !is_gateway(own) && !is_reserved(network, own.address))
                return in_use(
                    "address_in_use", "/reserved",
                    fmt::format("{} has the address {}, which a jail could get", bridge.name, own.address.to_string()),
                    "reserve it");
    }
    return {};
}

/// The uplink stays the host's own, with its addresses: only frames with the VLAN's id are taken.
Result<void> check_vlan(const model::Network& network, const HostInterface& uplink) {
    if (!uplink.master.empty())
        return in_use("interface_in_use", "/uplink",
                      uplink.name + " is a member of " + uplink.master + ", which takes all of its frames",
                      "name another interface, or take it from the bridge");
    if (network.mtu > uplink.mtu)
        return refuse("mtu_too_large", "/mtu", fmt::format("{} has an MTU of {}", uplink.name, uplink.mtu),
                      fmt::format("set mtu to {} at most", uplink.mtu));
    return {};
}

Result<void> check_bridge(const model::Network& network, const FindInterface& find) {
    const auto bridge = find_named(find, network.bridge, "/bridge");
    if (!bridge) return std::unexpected(bridge.error());
    if (!bridge->bridge)
        return refuse("interface_unsuitable", "/bridge", bridge->name + " is no bridge",
                      "name a bridge, or name the interface as the uplink of one of jaild's");
    if (bridge->ours)
        return refuse("interface_unsuitable", "/bridge", bridge->name + " is another network's bridge",
                      "name that network instead, in the spec of the jail");
    if (network.mtu > bridge->mtu)
        return refuse("mtu_too_large", "/mtu", fmt::format("{} has an MTU of {}", bridge->name, bridge->mtu),
                      fmt::format("set mtu to {} at most", bridge->mtu));
    return check_bridge_addresses(network, *bridge);
}

}  // namespace

Error interface_not_found(const std::string& name, const char* field) {
    auto error = Error::invalid("interface_not_found", field, "this host has no interface " + name);
    error.remedy = "name one that it has, or make it first";
    return error;
}

Error unsupported_field(const char* field, std::string detail, std::string remedy) {
    return {.code = Errc::unsupported,
            .op = "check_network",
            .detail = std::move(detail),
            .reason = "unsupported_network_field",
            .field = field,
            .remedy = std::move(remedy)};
}

Error bridge_not_found(const std::string& name) {
    return {.code = Errc::not_found,
            .op = "links",
            .detail = "this host has no bridge " + name,
            .reason = "bridge_not_found",
            .remedy = "make it again"};
}

std::string own_bridge_name(const InstanceId& instance, const model::Network& network) {
    return network.id.value == 0 ? std::string() : bridge_name(instance, network.id);
}

Result<void> check_uplink(const model::Network& network, const std::string& own_bridge, const FindInterface& find) {
    const auto uplink = find_named(find, network.uplink, "/uplink");
    if (!uplink) return std::unexpected(uplink.error());
    if (uplink->bridge || uplink->ours || uplink->loopback)
        return refuse("interface_unsuitable", "/uplink", uplink->name + " cannot be a member of a bridge",
                      uplink->bridge ? "name it as bridge instead" : "name an interface that leads elsewhere");
    if (!uplink->master.empty() && uplink->master != own_bridge)
        return in_use("interface_in_use", "/uplink", uplink->name + " is a member of " + uplink->master,
                      "name that as bridge, or take the interface from it");
    if (network.vlan != 0) return check_vlan(network, *uplink);
    if (!uplink->addresses.empty())
        return in_use("interface_in_use", "/uplink",
                      fmt::format("{} has the address {}, and this host would lose its network by it", uplink->name,
                                  uplink->addresses.front().to_string()),
                      kAnotherUplink);
    if (uplink->routed)
        return in_use("interface_in_use", "/uplink",
                      fmt::format("a route of this host goes by {}, and would be lost", uplink->name), kAnotherUplink);
    if (uplink->mtu != network.mtu)
        return refuse(
            "mtu_mismatch", "/mtu",
            fmt::format("{} has an MTU of {}, and all members of a bridge have the same", uplink->name, uplink->mtu),
            fmt::format("set mtu to {}, and less in the specs of jails that need it", uplink->mtu));
    return {};
}

Result<void> check_network(const model::Network& network, const std::string& own_bridge, const FindInterface& find) {
    if (const auto& way = network.nat.interface; !way.empty())
        if (auto found = find_named(find, way, "/nat/interface"); !found) return std::unexpected(found.error());
    if (!network.bridge.empty()) return check_bridge(network, find);
    return network.uplink.empty() ? Result<void>{} : check_uplink(network, own_bridge, find);
}

}  // namespace jaild::kernel
