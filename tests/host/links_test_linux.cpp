#include <functional>

#include "core/kernel/linux/interfaces.h"
#include "core/kernel/linux/netns.h"
#include "tests/host/eventually.h"
#include "tests/host/link_fixture_linux.h"

using namespace jaild;
using namespace jaild::test;
namespace netns = jaild::kernel::netns;
namespace rtnl = jaild::kernel::rtnl;

namespace {

std::string first_name(const LinkFixture& fixture, JailId id) {
    return kernel::pair_name(fixture.host.instance(), {id}, kernel::PairEnd::jail);
}

std::optional<rtnl::Interface> find_here(const std::string& name) {
    auto socket = value_of(kernel::nl::Socket::open());
    return value_of(rtnl::find(socket, name));
}

/// A pair that was made but not taken out, under the names that it has at first.
void make_inside(const LinkFixture& fixture) {
    fixture.ip_inside(kWeb, "link add " + fixture.host_end(kWeb) + " type veth peer name " + first_name(fixture, kWeb));
}

/// What a crash, an admin or an attacker may leave of a pair, and how it is brought about.
struct Damage {
    const char* name;
    std::function<void(const LinkFixture&)> bring_about;
};

constexpr const char* kForeignName = "vnet0 is somebody's own";

const std::vector<Damage> kDamages{
    {"nothing was made yet", [](const LinkFixture&) {}},
    {"the pair is inside, unmarked", make_inside},
    {"the pair is inside and marked",
     [](const LinkFixture& fixture) {
         make_inside(fixture);
         const auto mark = kernel::jail_mark(fixture.host.instance(), kWeb);
         fixture.ip_inside(kWeb, "link set " + fixture.host_end(kWeb) + " alias " + mark);
         fixture.ip_inside(kWeb, "link set " + first_name(fixture, kWeb) + " alias " + mark);
     }},
    {"the jail's end is renamed, the host's still inside",
     [](const LinkFixture& fixture) {
         make_inside(fixture);
         fixture.ip_inside(kWeb, "link set " + first_name(fixture, kWeb) + " name vnet0");
     }},
    {"the host end is out, neither bridged nor up, the other not renamed",
     [](const LinkFixture& fixture) {
         make_inside(fixture);
         const auto mark = kernel::jail_mark(fixture.host.instance(), kWeb);
         fixture.ip_inside(kWeb, "link set " + fixture.host_end(kWeb) + " alias " + mark);
         fixture.ip_inside(kWeb, "link set " + fixture.host_end(kWeb) + " netns " + fixture.host.host_name());
     }},
    {"one end inside bears a name of ours and is no pair",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "link add " + fixture.host_end(kWeb) + " type bridge");
     }},
    {kForeignName, [](const LinkFixture& fixture) { fixture.ip_inside(kWeb, "link add vnet0 type bridge"); }},
    {"two pairs inside share our names",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "link add " + fixture.host_end(kWeb) + " type veth peer name other0");
         fixture.ip_inside(kWeb, "link add vnet0 type veth peer name other1");
     }},
};

/// What happens to a link that was whole.
const std::vector<Damage> kDrifts{
    {"the host end is off the bridge",
     [](const LinkFixture& fixture) { fixture.ip("link set " + fixture.host_end(kWeb) + " nomaster"); }},
    {"the host end is down",
     [](const LinkFixture& fixture) { fixture.ip("link set " + fixture.host_end(kWeb) + " down"); }},
    {"vnet0 is down", [](const LinkFixture& fixture) { fixture.ip_inside(kWeb, "link set vnet0 down"); }},
    {"lo and vnet0 are down",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "link set lo down");
         fixture.ip_inside(kWeb, "link set vnet0 down");
     }},
    {"vnet0 has another MTU", [](const LinkFixture& fixture) { fixture.ip_inside(kWeb, "link set vnet0 mtu 1300"); }},
    {"the IPv4 address is missing",
     [](const LinkFixture& fixture) { fixture.ip_inside(kWeb, "-4 address flush dev vnet0"); }},
    {"the IPv6 address is missing",
     [](const LinkFixture& fixture) { fixture.ip_inside(kWeb, "-6 address flush dev vnet0 scope global"); }},
    {"the wanted address became secondary to a stray one",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "-4 address flush dev vnet0");
         fixture.ip_inside(kWeb, "address add 10.213.7.99/24 dev vnet0");
         fixture.ip_inside(kWeb, "address add " + fixture.ipv4(kWeb) + "/24 dev vnet0");
     }},
    {"there are stray addresses",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "address add 192.0.2.1/32 dev vnet0");
         fixture.ip_inside(kWeb, "address add 2001:db8:5::1/64 dev vnet0");
     }},
    {"the default routes are gone",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "route delete default");
         fixture.ip_inside(kWeb, "-6 route delete default");
     }},
    {"there is a stray default route",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "route add default via 10.213.7.200 dev vnet0 metric 5");
     }},
    {"vnet0 was renamed",
     [](const LinkFixture& fixture) {
         fixture.ip_inside(kWeb, "link set vnet0 down");
         fixture.ip_inside(kWeb, "link set vnet0 name eth7");
     }},
    {"the jail's end was deleted", [](const LinkFixture& fixture) { fixture.ip_inside(kWeb, "link delete vnet0"); }},
    {"the host end was deleted",
     [](const LinkFixture& fixture) { fixture.ip("link delete " + fixture.host_end(kWeb)); }},
};

/// No interface of the pair's but the two that belong: vnet0 (and lo) inside, the host end outside.
void check_only_the_pair(LinkFixture& fixture) {
    const auto inside = run_or_fail(fixture.inside(kWeb, {"ip", "-brief", "link"}));
    INFO(inside);
    CHECK_FALSE(inside.contains("j" + fixture.host.instance().text()));
    CHECK(inside.contains("vnet0@"));
    const auto end = find_here(fixture.host_end(kWeb));
    REQUIRE(end);
    CHECK(end->alias == kernel::jail_mark(fixture.host.instance(), kWeb));
    CHECK(end->mac == kernel::mac_address(fixture.host.instance(), {kWeb}, kernel::PairEnd::host));
}

}  // namespace

TEST_CASE("a pair is finished from whatever a crash left of it", "[links]") {
    const auto index = GENERATE(range(std::size_t{0}, kDamages.size()));
    const auto& damage = kDamages[index];
    INFO(damage.name);
    LinkFixture fixture;
    value_of(fixture.links.ensure_bridge(fixture.network));
    fixture.make_jail(kWeb);
    damage.bring_about(fixture);

    value_of(fixture.links.ensure(fixture.parameters(kWeb)));

    CHECK(fixture.observed(kWeb) == fixture.converged(kWeb));
    check_only_the_pair(fixture);
}

TEST_CASE("what a crash left of a pair is seen, and can be removed instead", "[links]") {
    const auto index = GENERATE(range(std::size_t{1}, kDamages.size()));
    const auto& damage = kDamages[index];
    INFO(damage.name);
    if (std::string_view(damage.name) == kForeignName) return;  // not ours, and in nobody's way until the link is made
    LinkFixture fixture;
    fixture.make_jail(kWeb);
    damage.bring_about(fixture);
    CHECK(value_of(fixture.links.list(kWeb)).size() == 1);
    CHECK(value_of(fixture.links.list(std::nullopt)).size() == 1);

    value_of(fixture.links.destroy({kWeb}));

    CHECK(value_of(fixture.links.list(kWeb)).empty());
    CHECK_FALSE(find_here(fixture.host_end(kWeb)));
}

TEST_CASE("a pair that somebody disturbed is seen to differ, and mended", "[links]") {
    const auto index = GENERATE(range(std::size_t{0}, kDrifts.size()));
    const auto& drift = kDrifts[index];
    INFO(drift.name);
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    REQUIRE(fixture.observed(kWeb) == fixture.converged(kWeb));
    drift.bring_about(fixture);
    CHECK_FALSE(fixture.observed(kWeb) == fixture.converged(kWeb));

    value_of(fixture.links.ensure(fixture.parameters(kWeb)));

    CHECK(fixture.observed(kWeb) == fixture.converged(kWeb));
    check_only_the_pair(fixture);
}

TEST_CASE("ensuring a pair that is as it should be changes nothing", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    const auto before = find_here(fixture.host_end(kWeb));
    value_of(fixture.links.ensure(fixture.parameters(kWeb)));
    const auto after = find_here(fixture.host_end(kWeb));
    REQUIRE(before);
    REQUIRE(after);
    CHECK(before->index == after->index);
    CHECK(before->peer == after->peer);
}

TEST_CASE("a change of addresses and MTU is applied to the living pair", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    auto wanted = fixture.parameters(kWeb);
    wanted.addresses = {value_of(Prefix::parse("10.213.7.77/24"))};
    wanted.gateways = {*fixture.network.gateway(Family::ipv4)};
    wanted.mtu = wanted.jail_mtu = 1400;
    const auto before = find_here(fixture.host_end(kWeb));

    value_of(fixture.links.ensure(wanted));

    const auto link = fixture.observed(kWeb);
    CHECK(link.addresses == wanted.addresses);
    CHECK(link.gateways == wanted.gateways);
    CHECK(link.mtu == 1400);
    CHECK(find_here(fixture.host_end(kWeb))->index == before->index);
}

TEST_CASE("an interface with our name and without our mark is left alone", "[links]") {
    LinkFixture fixture;
    value_of(fixture.links.ensure_bridge(fixture.network));
    fixture.make_jail(kWeb);
    fixture.ip("link add " + fixture.host_end(kWeb) + " type bridge");
    const auto before = find_here(fixture.host_end(kWeb));

    const auto error = error_of(fixture.links.ensure(fixture.parameters(kWeb)));
    CHECK(error.code == Errc::conflict);
    CHECK(error.name() == "name_in_use");
    CHECK(value_of(fixture.links.list(std::nullopt)).empty());
    value_of(fixture.links.destroy({kWeb}));

    const auto after = find_here(fixture.host_end(kWeb));
    REQUIRE(after);
    CHECK(after->index == before->index);
    CHECK_FALSE(after->up);
    fixture.ip("link delete " + fixture.host_end(kWeb));
}

TEST_CASE("a pair is not made without its bridge or its jail", "[links]") {
    LinkFixture fixture;
    fixture.make_jail(kWeb);
    CHECK(error_of(fixture.links.ensure(fixture.parameters(kWeb))).name() == "network_not_found");
    value_of(fixture.links.ensure_bridge(fixture.network));
    CHECK(error_of(fixture.links.ensure(fixture.parameters(kDb))).name() == "jail_not_found");
    CHECK(value_of(fixture.links.list(std::nullopt)).empty());
}

TEST_CASE("all jails are listed at once as each is by itself", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    fixture.start_jail(kDb);
    fixture.make_jail(JailId{3});  // mode none: a namespace without a link
    const auto all = value_of(fixture.links.list(std::nullopt));
    REQUIRE(all.size() == 2);
    CHECK(all[0] == fixture.converged(kWeb));
    CHECK(all[1] == fixture.converged(kDb));
    CHECK(value_of(fixture.links.list(JailId{3})).empty());
}

TEST_CASE("a pair goes with the jail's namespace, and a link without one can be destroyed", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    fixture.start_jail(kDb);
    value_of(fixture.links.destroy({kDb}));
    value_of(fixture.links.destroy({kDb}));
    CHECK(value_of(fixture.links.list(kDb)).empty());

    value_of(netns::remove(fixture.netns(kWeb)));
    CHECK(eventually([&] { return !find_here(fixture.host_end(kWeb)); }));
    value_of(fixture.links.destroy({kWeb}));
}

TEST_CASE("jails of one network reach each other over the bridge, and their gateway", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    fixture.start_jail(kDb);
    for (const auto& target :
         {fixture.ipv4(kDb), fixture.ipv6(kDb), fixture.network.gateway(Family::ipv4)->to_string(),
          fixture.network.gateway(Family::ipv6)->to_string(), std::string("127.0.0.1"), std::string("::1")}) {
        run_or_fail(fixture.inside(kWeb, {"ping", "-c1", "-W2", target}));
    }
}

TEST_CASE("a jail has an interface on each of two networks, and loses none with another", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    const auto first = fixture.observed(kWeb);
    auto second = fixture.second_parameters(kWeb);
    auto lab = fixture.lab();
    value_of(fixture.links.ensure_bridge(lab));
    value_of(fixture.links.ensure(second));

    const auto both = value_of(fixture.links.list(kWeb));
    REQUIRE(both.size() == 2);
    CHECK(both[0] == first);
    CHECK(both[1].id == second.id);
    CHECK(both[1].name == "vnet1");
    CHECK(both[1].up);
    CHECK(both[1].bridge == lab.id);
    CHECK(both[1].addresses == second.addresses);
    CHECK(both[1].gateways.empty());
    CHECK(value_of(fixture.links.list(std::nullopt)) == both);
    for (const auto& network : {fixture.network, lab})
        for (const auto family : {Family::ipv4, Family::ipv6})
            run_or_fail(fixture.inside(kWeb, {"ping", "-c1", "-W2", network.gateway(family).value().to_string()}));

    SECTION("the names inside are exchanged") {
        for (const auto* name : {"vnet0", "vnet1"}) fixture.ip_inside(kWeb, std::string("link set ") + name + " down");
        fixture.ip_inside(kWeb, "link set vnet0 name aside");
        fixture.ip_inside(kWeb, "link set vnet1 name vnet0");
        fixture.ip_inside(kWeb, "link set aside name vnet1");
        CHECK(value_of(fixture.links.list(kWeb)).front().name == "vnet1");
        value_of(fixture.links.ensure(fixture.parameters(kWeb)));
        value_of(fixture.links.ensure(second));
        CHECK(value_of(fixture.links.list(kWeb)) == both);
    }
    SECTION("one is deleted inside") {
        fixture.ip_inside(kWeb, "link delete vnet1");
        CHECK(value_of(fixture.links.list(kWeb)) == std::vector{first});
        value_of(fixture.links.ensure(second));
        CHECK(value_of(fixture.links.list(kWeb)) == both);
    }
    SECTION("one is destroyed") {
        value_of(fixture.links.destroy(fixture.parameters(kWeb).id));
        CHECK(value_of(fixture.links.list(kWeb)) == std::vector{both[1]});
        value_of(fixture.links.destroy(second.id));
        CHECK(value_of(fixture.links.list(kWeb)).empty());
    }
    SECTION("the jail's root has an interface with a name that ours could have") {
        fixture.ip_inside(kWeb, "link add vnet2 type bridge");
        CHECK(value_of(fixture.links.list(kWeb)) == both);
        value_of(fixture.links.destroy({.jail = kWeb, .index = 2}));
        fixture.ip_inside(kWeb, "link show vnet2");
    }
}

TEST_CASE("an interface has the name, MAC address and MTU that it was asked for", "[links]") {
    LinkFixture fixture;
    value_of(fixture.links.ensure_bridge(fixture.network));
    fixture.make_jail(kWeb);
    auto wanted = fixture.parameters(kWeb);
    wanted.name = "lan.0";
    wanted.mac = "06:00:00:00:00:01";
    wanted.jail_mtu = 1400;
    auto converged = fixture.converged(kWeb);
    converged.name = wanted.name;
    converged.mac = wanted.mac;
    converged.mtu = wanted.jail_mtu;
    value_of(fixture.links.ensure(wanted));
    CHECK(fixture.observed(kWeb) == converged);
    CHECK(find_here(fixture.host_end(kWeb))->mtu == fixture.network.mtu);

    SECTION("its root changes all of them") {
        fixture.ip_inside(kWeb, "link set lan.0 down");
        fixture.ip_inside(kWeb, "link set lan.0 name eth0 mtu 1300 address 06:00:00:00:00:02");
        CHECK(fixture.observed(kWeb).name == "eth0");
        CHECK(fixture.observed(kWeb).mac == "06:00:00:00:00:02");
        value_of(fixture.links.ensure(wanted));
        CHECK(fixture.observed(kWeb) == converged);
    }
    SECTION("it gets our MAC address back when it asks for none any more") {
        wanted.mac = converged.mac = {};
        CHECK(fixture.observed(kWeb) != converged);
        value_of(fixture.links.ensure(wanted));
        CHECK(fixture.observed(kWeb) == converged);
    }
    SECTION("the name of a live one changes") {
        wanted.name = converged.name = "wan0";
        value_of(fixture.links.ensure(wanted));
        CHECK(fixture.observed(kWeb) == converged);
    }
    SECTION("it is destroyed under whatever name") {
        value_of(fixture.links.destroy({kWeb}));
        CHECK(value_of(fixture.links.list(kWeb)).empty());
        CHECK_FALSE(find_here(fixture.host_end(kWeb)));
    }
}

TEST_CASE("a jail takes no addresses from router advertisements", "[links]") {
    LinkFixture fixture;
    fixture.start_jail(kWeb);
    for (const auto* value : {"accept_ra", "autoconf"}) {
        const auto path = std::string("/proc/sys/net/ipv6/conf/");
        CHECK(run_or_fail(fixture.inside(kWeb, {"cat", path + "vnet0/" + value})) == "0\n");
        CHECK(fixture.host.run_on_host({"cat", path + fixture.bridge() + "/" + value}) == "0\n");
    }
}
