#include <algorithm>
#include <array>

#include "tests/host/eventually.h"
#include "tests/host/link_fixture_linux.h"
#include "tests/host/router.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

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
