#include <algorithm>
#include <array>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/link_fixture_linux.h"
#include "tests/host/net_probe.h"
#include "tests/host/router_linux.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// A router speaks every few seconds, and what it says is looked at every 5 s.
constexpr auto kHeard = std::chrono::seconds(30);

/// RFC 4291, appendix A: the interface's identifier is made of its MAC address.
Prefix advertised_address(const std::string& mac) {
    auto address = value_of(IpAddress::parse("2001:db8:5::"));
    const auto byte = [&mac](std::size_t index) {
        return static_cast<std::uint8_t>(std::stoul(mac.substr(index * 3, 2), nullptr, 16));
    };
    const std::array<std::uint8_t, 8> identifier{
        static_cast<std::uint8_t>(byte(0) ^ 2U), byte(1), byte(2), 0xff, 0xfe, byte(3), byte(4), byte(5)};
    std::ranges::copy(identifier, address.bytes.begin() + 8);
    return {.address = address, .length = 64};
}

kernel::LinkParameters learning(const LinkFixture& fixture, kernel::Learns learns) {
    auto wanted = fixture.parameters(kWeb);
    wanted.addresses.pop_back();
    wanted.gateways.pop_back();
    wanted.slaac = learns;
    return wanted;
}

}  // namespace

TEST_CASE("an interface takes its IPv6 address and route from its network's router, and no other one does",
          "[links][slaac]") {
    LinkFixture fixture;
    fixture.start_jail(kDb);
    Router router(fixture.host, fixture.bridge());
    router.advertise();
    fixture.make_jail(kWeb);
    const auto learns = GENERATE(kernel::Learns::addresses, kernel::Learns::addresses_and_route);
    const auto wanted = learning(fixture, learns);
    value_of(fixture.links.ensure(wanted));

    auto expected = fixture.converged(kWeb);
    expected.advertised = true;
    expected.addresses = wanted.addresses;
    expected.addresses.push_back(
        advertised_address(kernel::mac_address(fixture.host.instance(), {kWeb}, kernel::PairEnd::jail)));
    expected.gateways = wanted.gateways;
    if (learns == kernel::Learns::addresses_and_route)
        expected.gateways.push_back(value_of(IpAddress::parse(router.link_local())));
    CHECK(eventually([&] { return fixture.observed(kWeb) == expected; }, kHeard));
    run_or_fail(fixture.inside(kWeb, {"ping", "-c1", "-W2", Router::address6}));

    // What it has learned is nobody's to take away.
    value_of(fixture.links.ensure(wanted));
    CHECK(fixture.observed(kWeb) == expected);
    CHECK(fixture.observed(kDb) == fixture.converged(kDb));
    CHECK(fixture.host.run_on_host({"ip", "-6", "address", "show", "dev", fixture.bridge()}).find("2001:db8:5:") ==
          std::string::npos);

    run_or_fail(fixture.inside(kWeb, {"sysctl", "-qw", "net.ipv6.conf.vnet0.accept_ra=0"}));
    CHECK_FALSE(fixture.observed(kWeb).advertised);
    value_of(fixture.links.ensure(wanted));
    CHECK(fixture.observed(kWeb).advertised);
}

TEST_CASE("a jail with SLAAC shows the address that it holds, which is no drift and nobody's to publish", "[slaac]") {
    TestHost host;
    Daemon daemon(host);
    Client client(daemon);
    daemon.start();
    const auto made = daemon.request("POST", "/v1/networks", R"({"name": "lan", "ipv6": "2001:db8:5::/64"})");
    INFO(made.body);
    REQUIRE(made.status == 201);
    const json interface {
        {"network", "lan"}, { "ipv6", "slaac" }
    };
    client.create({{"name", "web"}, {"network", {{"interfaces", json::array({interface})}}}});
    CHECK(client.addresses("web").size() == 1);
    CHECK(client.has_condition("web", "AddressMissing"));
    const auto life = client.life("web");
    const auto before = client.last_event();

    Router router(host, kernel::bridge_name(client.instance(), NetworkId{2}));
    router.advertise();
    CHECK(eventually([&] { return client.addresses("web").size() == 2; }, kHeard));
    const auto learned = value_of(IpAddress::parse(client.addresses("web").at(1)));
    CHECK(value_of(Prefix::parse("2001:db8:5::/64")).contains(learned));
    CHECK_FALSE(client.has_condition("web", "AddressMissing"));
    CHECK(client.jail("web").at("status").at("interfaces").at(0).at("addresses").size() == 2);
    auto listener = value_of(Listener::open(router.name(), Router::address6));
    CHECK(connect_from(client.network_of("web"), Router::address6, listener.port()));
    CHECK(value_of(listener.accept()) == learned);

    const auto refused =
        daemon.request("PATCH", "/v1/jails/web", R"({"publish": [{"host_port": 8080, "jail_port": 80}]})");
    INFO(refused.body);
    CHECK(refused.status == 422);
    CHECK(json::parse(refused.body).at("code") == "learned_address");
    CHECK(json::parse(refused.body).at("field") == "/publish");

    daemon.kill();
    daemon.start();
    CHECK(client.life("web") == life);
    CHECK(client.addresses("web").size() == 2);
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(client.repairs(before, "jail", "web").empty());
    client.restart("web");
    CHECK(eventually([&] { return client.addresses("web").size() == 2; }, kHeard));
    CHECK(value_of(IpAddress::parse(client.addresses("web").at(1))) == learned);
}
