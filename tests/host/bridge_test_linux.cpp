#include <algorithm>

#include "core/kernel/linux/interfaces.h"
#include "tests/host/link_fixture_linux.h"

using namespace jaild;
using namespace jaild::test;
namespace rtnl = jaild::kernel::rtnl;

namespace {

kernel::ObservedBridge whole(const model::Network& network, std::size_t members = 0) {
    return {.network = network.id,
            .up = true,
            .addresses = network.bridge_addresses(),
            .mtu = network.mtu,
            .members = members};
}

std::optional<rtnl::Interface> find_here(const std::string& name) {
    auto socket = value_of(kernel::nl::Socket::open());
    return value_of(rtnl::find(socket, name));
}

}  // namespace

TEST_CASE("a network's bridge has the gateways, our mark and an address of its own", "[links]") {
    LinkFixture fixture;
    value_of(fixture.links.ensure_bridge(fixture.network));
    CHECK(value_of(fixture.links.bridges()) == std::vector{whole(fixture.network)});

    fixture.start_jail(kWeb);
    CHECK(value_of(fixture.links.bridges()) == std::vector{whole(fixture.network, 1)});
    const auto bridge = find_here(fixture.bridge());
    REQUIRE(bridge);
    CHECK(bridge->alias == kernel::network_mark(fixture.host.instance(), fixture.network.id));
    CHECK(bridge->mac == kernel::bridge_mac_address(fixture.host.instance(), fixture.network.id));
}

TEST_CASE("a disturbed bridge is mended", "[links]") {
    LinkFixture fixture;
    value_of(fixture.links.ensure_bridge(fixture.network));
    const auto disturbance = GENERATE("link set BRIDGE down", "link set BRIDGE mtu 1300", "address flush dev BRIDGE",
                                      "address add 192.0.2.7/24 dev BRIDGE", "-6 address flush dev BRIDGE scope global",
                                      "link delete BRIDGE");
    INFO(disturbance);
    std::string command = disturbance;
    fixture.ip(command.replace(command.find("BRIDGE"), 6, fixture.bridge()));
    CHECK_FALSE(value_of(fixture.links.bridges()) == std::vector{whole(fixture.network)});

    value_of(fixture.links.ensure_bridge(fixture.network));

    CHECK(value_of(fixture.links.bridges()) == std::vector{whole(fixture.network)});
}

TEST_CASE("a bridge that a crash left before its mark is ours, and finished or removed", "[links]") {
    LinkFixture fixture;
    auto socket = value_of(kernel::nl::Socket::open());
    value_of(rtnl::add_bridge(
        socket,
        {.name = fixture.bridge(), .mac = kernel::bridge_mac_address(fixture.host.instance(), fixture.network.id)}));
    const auto seen = value_of(fixture.links.bridges());
    REQUIRE(seen.size() == 1);
    CHECK_FALSE(seen.front().up);

    SECTION("finished") {
        value_of(fixture.links.ensure_bridge(fixture.network));
        CHECK(value_of(fixture.links.bridges()) == std::vector{whole(fixture.network)});
    }
    SECTION("removed") {
        value_of(fixture.links.remove_bridge(fixture.network.id));
        CHECK_FALSE(find_here(fixture.bridge()));
    }
}

TEST_CASE("somebody else's bridge with our name is left alone", "[links]") {
    LinkFixture fixture;
    fixture.ip("link add " + fixture.bridge() + " type bridge");
    const auto error = error_of(fixture.links.ensure_bridge(fixture.network));
    CHECK(error.code == Errc::conflict);
    CHECK(error.name() == "name_in_use");
    value_of(fixture.links.remove_bridge(fixture.network.id));
    CHECK(value_of(fixture.links.bridges()).empty());
    CHECK(find_here(fixture.bridge()));
    fixture.ip("link delete " + fixture.bridge());
}

TEST_CASE("a bridge is not removed under its members", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    CHECK(error_of(fixture.links.remove_bridge(fixture.network.id)).code == Errc::busy);
    value_of(fixture.links.destroy({kWeb}));
    value_of(fixture.links.remove_bridge(fixture.network.id));
    value_of(fixture.links.remove_bridge(fixture.network.id));
    CHECK(value_of(fixture.links.bridges()).empty());
}

TEST_CASE("a host's own prefixes are in use, its default routes and link-local addresses are not", "[links]") {
    LinkFixture fixture;
    fixture.ip("route add 10.99.0.0/16 via 198.51.100.1");
    fixture.ip("route add unreachable 10.98.0.0/16 table 7");
    fixture.ip("-6 route add fd00:99::/48 via 2001:db8::1");
    const auto used = value_of(fixture.links.used_prefixes());
    const auto has = [&used](const char* text) {
        return std::ranges::find(used, value_of(Prefix::parse(text))) != used.end();
    };
    for (const auto* text :
         {"198.51.100.0/24", "10.99.0.0/16", "10.98.0.0/16", "127.0.0.0/8", "2001:db8::/64", "fd00:99::/48"}) {
        INFO(text);
        CHECK(has(text));
    }
    for (const auto& prefix : used) {
        INFO(prefix.to_string());
        CHECK(prefix.length > 0);
        CHECK_FALSE(prefix.to_string().starts_with("fe80"));
        CHECK_FALSE(prefix.to_string().starts_with("ff"));
    }
}

TEST_CASE("forwarding is raised, and stays raised", "[links]") {
    LinkFixture fixture;
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    CHECK_FALSE(value_of(fixture.links.forwarding(family)));
    value_of(fixture.links.enable_forwarding(family));
    CHECK(value_of(fixture.links.forwarding(family)));
    value_of(fixture.links.enable_forwarding(family));
    CHECK(value_of(fixture.links.forwarding(family)));
}
