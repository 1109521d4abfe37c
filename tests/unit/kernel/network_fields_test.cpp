#include "core/kernel/network_fields.h"

#include <map>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::kernel;
using jaild::test::value_of;

namespace {

IpAddress ip_of(const std::string& text) {
    return value_of(IpAddress::parse(text));
}

/// A host with a bridge, a way out, an interface that nobody uses and a bridge of ours.
std::map<std::string, HostInterface> host_interfaces() {
    const auto prefix = [](const char* text) { return value_of(Prefix::parse(text)); };
    return {{"em0", {.name = "em0", .mtu = 1500, .addresses = {prefix("192.0.2.1/24")}}},
            {"em1", {.name = "em1", .mtu = 1500, .addresses = {}}},
            {"em2", {.name = "em2", .mtu = 1500, .addresses = {}, .routed = true}},
            {"em3", {.name = "em3", .mtu = 1500, .addresses = {}, .master = "br0"}},
            {"em4", {.name = "em4", .mtu = 1500, .addresses = {}, .master = "jk3f9a2n"}},
            {"lo0", {.name = "lo0", .loopback = true, .mtu = 16384, .addresses = {}}},
            {"br0",
             {.name = "br0", .bridge = true, .mtu = 1500, .addresses = {prefix("10.88.0.1/24"), prefix("fd88::1/64")}}},
            {"jk3f9a1n", {.name = "jk3f9a1n", .bridge = true, .ours = true, .mtu = 1500, .addresses = {}}}};
}

model::Network lab_on_bridge() {
    model::Network network{.id = NetworkId{2},
                           .name = value_of(model::Name::parse("lab")),
                           .ipv4 = value_of(Prefix::parse("10.88.0.0/24")),
                           .ipv6 = value_of(Prefix::parse("fd88::/64"))};
    network.nat.on = false;
    network.bridge = "br0";
    return network;
}

Result<void> check_on_host(const model::Network& network) {
    return check_network(network, "jk3f9a2n", [](const std::string& name) -> Result<std::optional<HostInterface>> {
        const auto all = host_interfaces();
        const auto found = all.find(name);
        return found == all.end() ? std::nullopt : std::optional(found->second);
    });
}

/// "reason field"
std::string refused_by_host(const model::Network& network) {
    const auto done = check_on_host(network);
    return done ? std::string("none") : std::string(done.error().name()) + " " + done.error().field;
}

}  // namespace

TEST_CASE("a bridge of the host's is one, with the gateway on it", "[network][kernel]") {
    auto network = lab_on_bridge();
    CHECK(refused_by_host(network) == "none");
    network.bridge = "br7";
    CHECK(refused_by_host(network) == "interface_not_found /bridge");
    network.bridge = "em1";
    CHECK(refused_by_host(network) == "interface_unsuitable /bridge");
    network.bridge = "jk3f9a1n";
    CHECK(refused_by_host(network) == "interface_unsuitable /bridge");
    network = lab_on_bridge();
    network.mtu = 1501;
    CHECK(refused_by_host(network) == "mtu_too_large /mtu");
}

TEST_CASE("a bridge that is not the gateway needs another one, and keeps its address", "[network][kernel]") {
    auto network = lab_on_bridge();
    SECTION("IPv4") {
        network.ipv4 = value_of(Prefix::parse("10.88.0.0/16"));
        CHECK(refused_by_host(network) == "none");
        network.ipv4 = value_of(Prefix::parse("10.99.0.0/24"));
        CHECK(refused_by_host(network) == "gateway_unknown /gateway4");
        network.router4 = ip_of("10.99.0.254");
        CHECK(refused_by_host(network) == "none");
        network.ipv4 = value_of(Prefix::parse("10.88.0.0/24"));
        network.router4 = ip_of("10.88.0.254");
        CHECK(refused_by_host(network) == "address_in_use /reserved");
        network.reserved = {{.first = ip_of("10.88.0.1"), .last = ip_of("10.88.0.9")}};
    }
    SECTION("IPv6") {
        network.ipv6 = value_of(Prefix::parse("fd99::/64"));
        CHECK(refused_by_host(network) == "gateway_unknown /gateway6");
        network.router6 = ip_of("fd99::fe");
        CHECK(refused_by_host(network) == "none");
        network.ipv6 = value_of(Prefix::parse("fd88::/64"));
        network.router6 = ip_of("fd88::fe");
        CHECK(refused_by_host(network) == "address_in_use /reserved");
        network.reserved = {{.first = ip_of("fd88::1"), .last = ip_of("fd88::1")}};
    }
    CHECK(refused_by_host(network) == "none");
}

TEST_CASE("the way of NAT is an interface of the host's", "[network][kernel]") {
    auto network = lab_on_bridge();
    network.bridge.clear();
    network.nat = {.interface = "em0"};
    CHECK(refused_by_host(network) == "none");
    network.nat.interface = "em7";
    CHECK(refused_by_host(network) == "interface_not_found /nat/interface");
}

TEST_CASE("an uplink is nobody's and leads elsewhere", "[network][kernel]") {
    auto network = lab_on_bridge();
    network.bridge.clear();
    const auto uplink = [&](const char* name) {
        network.uplink = name;
        return refused_by_host(network);
    };
    CHECK(uplink("em1") == "none");
    CHECK(uplink("em4") == "none");  // it is on the network's own bridge
    CHECK(uplink("em0") == "interface_in_use /uplink");
    CHECK(uplink("em2") == "interface_in_use /uplink");
    CHECK(uplink("em3") == "interface_in_use /uplink");
    CHECK(uplink("em7") == "interface_not_found /uplink");
    for (const char* other : {"lo0", "br0", "jk3f9a1n"}) CHECK(uplink(other) == "interface_unsuitable /uplink");
    network.mtu = 1400;
    CHECK(uplink("em1") == "mtu_mismatch /mtu");
}

TEST_CASE("the frames of one VLAN are taken from an interface that stays the host's own", "[network][kernel]") {
    auto network = lab_on_bridge();
    network.bridge.clear();
    network.vlan = 7;
    const auto uplink = [&](const char* name) {
        network.uplink = name;
        return refused_by_host(network);
    };
    for (const char* fine : {"em0", "em1", "em2"}) CHECK(uplink(fine) == "none");
    CHECK(uplink("em3") == "interface_in_use /uplink");
    CHECK(uplink("em7") == "interface_not_found /uplink");
    CHECK(uplink("br0") == "interface_unsuitable /uplink");
    network.mtu = 1400;
    CHECK(uplink("em0") == "none");
    network.mtu = 1504;
    CHECK(uplink("em0") == "mtu_too_large /mtu");
}
