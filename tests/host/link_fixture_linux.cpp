#include "tests/host/link_fixture_linux.h"

#include <algorithm>
#include <sstream>

#include "core/kernel/linux/netns.h"

namespace jaild::test {

Argv words(const std::string& text) {
    std::istringstream stream(text);
    Argv all;
    for (std::string word; stream >> word;) all.push_back(word);
    return all;
}

model::Network LinkFixture::network_of(const TestHost& /*host*/) {
    return {.id = NetworkId{1},
            .name = value_of(model::Name::parse("default")),
            .ipv4 = value_of(Prefix::parse("10.213.7.0/24")),
            .ipv6 = value_of(Prefix::parse("fd21:3707:1::/64")),
            .mtu = 1500};
}

std::string LinkFixture::netns(JailId id) const {
    return kernel::container_name(host.instance(), id);
}

void LinkFixture::make_jail(JailId id) const {
    value_of(kernel::netns::create(netns(id)));
}

Argv LinkFixture::inside(JailId id, const Argv& argv) const {
    Argv whole{"nsenter", "--net=" + kernel::netns::path(netns(id)), "--"};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return whole;
}

std::string LinkFixture::ipv4(JailId id) const {
    return network.ipv4->nth(10 + static_cast<std::uint64_t>(id.value)).to_string();
}

std::string LinkFixture::ipv6(JailId id) const {
    return network.ipv6->nth(10 + static_cast<std::uint64_t>(id.value)).to_string();
}

kernel::LinkParameters LinkFixture::parameters(JailId id) const {
    return {.id = {id},
            .name = "vnet0",
            .network = network.id,
            .addresses = {value_of(Prefix::parse(ipv4(id) + "/24")), value_of(Prefix::parse(ipv6(id) + "/64"))},
            .gateways = {*network.gateway(Family::ipv4), *network.gateway(Family::ipv6)},
            .mtu = network.mtu};
}

model::Network LinkFixture::lab() const {
    auto lab = network;
    lab.id = NetworkId{2};
    lab.ipv4 = value_of(Prefix::parse("10.213.8.0/24"));
    lab.ipv6 = value_of(Prefix::parse("fd21:3707:8::/64"));
    return lab;
}

kernel::LinkParameters LinkFixture::second_parameters(JailId id) const {
    return {.id = {.jail = id, .index = 1},
            .name = "vnet1",
            .network = lab().id,
            .addresses = {value_of(Prefix::parse("10.213.8.9/24")), value_of(Prefix::parse("fd21:3707:8::9/64"))},
            .gateways = {},
            .mtu = lab().mtu};
}

std::string LinkFixture::host_end(JailId id) const {
    return kernel::pair_name(host.instance(), {id}, kernel::PairEnd::host);
}

std::string LinkFixture::bridge() const {
    return kernel::bridge_name(host.instance(), network.id);
}

void LinkFixture::start_jail(JailId id) {
    value_of(links.ensure_bridge(network));
    make_jail(id);
    value_of(links.ensure(parameters(id)));
}

kernel::ObservedLink LinkFixture::converged(JailId id) const {
    const auto wanted = parameters(id);
    return {.id = {id},
            .host_end = true,
            .jail_end = true,
            .name = wanted.name,
            .up = true,
            .bridge = wanted.network,
            .addresses = wanted.addresses,
            .gateways = wanted.gateways,
            .mtu = wanted.jail_mtu};
}

kernel::ObservedLink LinkFixture::observed(JailId id) {
    const auto found = value_of(links.list(id));
    return found.empty() ? kernel::ObservedLink{.id = {id}} : found.front();
}

void LinkFixture::ip_inside(JailId id, const std::string& command) const {
    run_or_fail(inside(id, words("ip " + command)));
}

void LinkFixture::ip(const std::string& command) const {
    host.run_on_host(words("ip " + command));
}

}  // namespace jaild::test
