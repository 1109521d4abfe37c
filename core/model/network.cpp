#include "core/model/network.h"

#include <nlohmann/json.hpp>

namespace jaild::model {
namespace {

Prefix gateway_of(const Prefix& subnet) {
    return Prefix{.address = subnet.nth(1), .length = subnet.length};
}

}  // namespace

Prefix Network::gateway4() const {
    return gateway_of(ipv4);
}
Prefix Network::gateway6() const {
    return gateway_of(ipv6);
}

nlohmann::json to_json(const Network& network) {
    return {{"name", network.name.text()},
            {"subnets", {network.ipv4.to_string(), network.ipv6.to_string()}},
            {"gateways", {network.gateway4().address.to_string(), network.gateway6().address.to_string()}},
            {"nat", network.nat},
            {"mtu", network.mtu}};
}

nlohmann::json to_json(const Template& value) {
    return {{"name", value.name.text()}, {"builtin", value.builtin}, {"description", value.description}};
}

}  // namespace jaild::model
