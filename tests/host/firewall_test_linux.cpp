#include <algorithm>

#include "core/kernel/linux/firewall.h"
#include "tests/host/link_fixture_linux.h"
#include "tests/host/net_probe.h"

using namespace jaild;
using namespace jaild::test;

namespace {

/// How long a packet that is dropped is waited for; the tests see first that one that is not comes through.
constexpr std::chrono::milliseconds kDropped{400};

/// A network with two jails, behind a host that forwards.
struct FirewallFixture : LinkFixture {
    kernel::LinuxFirewall firewall{host.options()};

    FirewallFixture() {
        start_jail(kWeb);
        start_jail(kDb);
        value_of(links.enable_forwarding(Family::ipv4));
        value_of(links.enable_forwarding(Family::ipv6));
    }
    /// The outside learns the way to the jails, as an attacker on the same cable would.
    void teach_outside() const {
        run_or_fail(words("ip -n " + host.outside_name() + " route add 10.213.7.0/24 via " + Cable::host4));
        run_or_fail(words("ip -n " + host.outside_name() + " -6 route add fd21:3707:1::/64 via " + Cable::host6));
    }
    [[nodiscard]] std::string table() const { return kernel::nft_table(host.instance()); }
    std::vector<kernel::ObservedRules> listed() { return value_of(firewall.list({network})); }
    void nft(const std::string& command) const {
        Argv argv{"nft", command};
        host.run_on_host(argv);
    }
};

std::vector<kernel::ObservedRules> only(NetworkId network, bool complete) {
    return {{.network = network, .complete = complete}};
}

IpAddress address(const std::string& text) {
    return value_of(IpAddress::parse(text));
}

/// Who the outside sees when a jail connects to it.
Result<IpAddress> seen_outside(const LinkFixture& fixture, JailId jail, const char* target,
                               std::chrono::milliseconds patience = std::chrono::seconds(5)) {
    auto listener = value_of(Listener::open(fixture.host.outside_name(), target));
    const auto connection = connect_from(fixture.netns(jail), target, listener.port(), patience);
    if (!connection) return std::unexpected(connection.error());
    return listener.accept();
}

}  // namespace

TEST_CASE("with NAT the outside sees the host's address, without it the jail's own way is no way", "[firewall]") {
    FirewallFixture fixture;
    CHECK_FALSE(seen_outside(fixture, kWeb, Cable::outside4, kDropped));  // the outside has no way back

    value_of(fixture.firewall.apply(fixture.network));
    CHECK(value_of(seen_outside(fixture, kWeb, Cable::outside4)) == address(Cable::host4));
    CHECK(value_of(seen_outside(fixture, kWeb, Cable::outside6)) == address(Cable::host6));

    auto without = fixture.network;
    without.nat.on = false;
    value_of(fixture.firewall.apply(without));
    CHECK_FALSE(seen_outside(fixture, kWeb, Cable::outside4, kDropped));
    fixture.teach_outside();
    CHECK(value_of(seen_outside(fixture, kWeb, Cable::outside4)) == address(fixture.ipv4(kWeb)));
    CHECK(value_of(seen_outside(fixture, kWeb, Cable::outside6)) == address(fixture.ipv6(kWeb)));
}

TEST_CASE("nobody outside reaches into a network, its own jails and the host do", "[firewall]") {
    FirewallFixture fixture;
    fixture.teach_outside();
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    const auto target = family == Family::ipv4 ? fixture.ipv4(kWeb) : fixture.ipv6(kWeb);
    INFO(target);
    auto web = value_of(Listener::open(fixture.netns(kWeb), target));
    CHECK(connect_from(fixture.host.outside_name(), target, web.port()));  // nothing but the rules keeps them out

    value_of(fixture.firewall.apply(fixture.network));

    const auto refused = connect_from(fixture.host.outside_name(), target, web.port(), kDropped);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().sys == ETIMEDOUT);
    CHECK(connect_from(fixture.netns(kDb), target, web.port()));
    CHECK(connect_from(fixture.host.host_name(), target, web.port()));
}

TEST_CASE("jails of one network see each other's own addresses, not the gateway's", "[firewall]") {
    FirewallFixture fixture;
    value_of(fixture.firewall.apply(fixture.network));
    auto web = value_of(Listener::open(fixture.netns(kWeb), fixture.ipv4(kWeb)));
    const auto connection = value_of(connect_from(fixture.netns(kDb), fixture.ipv4(kWeb), web.port()));
    CHECK(value_of(web.accept()) == address(fixture.ipv4(kDb)));
}

TEST_CASE("a jail cannot borrow an address outside its network", "[firewall]") {
    FirewallFixture fixture;
    const auto [source, target] = GENERATE(
        table<std::string, std::string>({{"198.51.100.77", "10.213.7.1"}, {"2001:db8::77", "fd21:3707:1::1"}}));
    INFO(source << " to " << target);
    // The host answers to the borrowed address by the bridge, so only the rules are in the way.
    const bool ipv4 = source.contains('.');
    fixture.ip((ipv4 ? "route add " : "-6 route add ") + source + " dev " + fixture.bridge() + " via " +
               (ipv4 ? fixture.ipv4(kWeb) : fixture.ipv6(kWeb)));
    fixture.ip_inside(kWeb, "address add " + source + (ipv4 ? "/32 dev vnet0" : "/128 dev vnet0 nodad"));
    auto host = value_of(Listener::open(fixture.host.host_name(), target));
    CHECK(connect_from(fixture.netns(kWeb), target, host.port(), std::chrono::seconds(5), source));

    value_of(fixture.firewall.apply(fixture.network));

    CHECK_FALSE(connect_from(fixture.netns(kWeb), target, host.port(), kDropped, source));
    CHECK(connect_from(fixture.netns(kWeb), target, host.port()));
}

TEST_CASE("one network's jails do not reach another's", "[firewall]") {
    FirewallFixture fixture;
    auto other = fixture.network;
    other.id = NetworkId{2};
    other.ipv4 = value_of(Prefix::parse("10.213.8.0/24"));
    other.ipv6 = value_of(Prefix::parse("fd21:3707:2::/64"));
    value_of(fixture.links.ensure_bridge(other));
    fixture.make_jail(JailId{3});
    value_of(fixture.links.ensure({.id = {JailId{3}},
                                   .name = "vnet0",
                                   .network = other.id,
                                   .addresses = {value_of(Prefix::parse("10.213.8.9/24"))},
                                   .gateways = {*other.gateway(Family::ipv4)}}));
    auto far = value_of(Listener::open(fixture.netns(JailId{3}), "10.213.8.9"));
    CHECK(connect_from(fixture.netns(kWeb), "10.213.8.9", far.port()));

    value_of(fixture.firewall.apply(fixture.network));
    value_of(fixture.firewall.apply(other));

    CHECK_FALSE(connect_from(fixture.netns(kWeb), "10.213.8.9", far.port(), kDropped));
    CHECK(value_of(seen_outside(fixture, JailId{3}, Cable::outside4)) == address(Cable::host4));
}

TEST_CASE("rules that somebody changed are seen to be incomplete, and repaired", "[firewall]") {
    FirewallFixture fixture;
    CHECK(fixture.listed().empty());
    value_of(fixture.firewall.apply(fixture.network));
    CHECK(fixture.listed() == only(fixture.network.id, true));
    const auto change =
        GENERATE("flush table inet TABLE", "flush chain inet TABLE n1-nat", "delete chain inet TABLE n1-forward",
                 "insert rule inet TABLE n1-forward accept", "add rule inet TABLE n1-source accept",
                 "add chain inet TABLE n1-forward { policy drop; }",
                 "delete chain inet TABLE n1-forward; add chain inet TABLE n1-forward",
                 "delete chain inet TABLE n1-nat; add chain inet TABLE n1-nat { type filter hook input priority 5; }",
                 "add table inet TABLE { flags dormant; }");
    INFO(change);
    std::string command = change;
    for (auto at = command.find("TABLE"); at != std::string::npos; at = command.find("TABLE", at)) {
        command.replace(at, 5, fixture.table());
    }
    fixture.nft(command);
    CHECK(fixture.listed() == only(fixture.network.id, false));

    value_of(fixture.firewall.apply(fixture.network));

    CHECK(fixture.listed() == only(fixture.network.id, true));
    CHECK(value_of(seen_outside(fixture, kWeb, Cable::outside4)) == address(Cable::host4));
}

TEST_CASE("a rule that was replaced under its own comment is seen", "[firewall]") {
    FirewallFixture fixture;
    value_of(fixture.firewall.apply(fixture.network));
    const auto listing =
        fixture.host.run_on_host({"nft", "--handle", "list", "chain", "inet", fixture.table(), "n1-forward"});
    const auto line = listing.find("drop comment \"");
    REQUIRE(line != std::string::npos);
    const auto end = listing.find('\n', line);
    const auto comment = listing.substr(line + 5, listing.find('#', line) - line - 5);
    const auto handle = listing.substr(listing.find("handle", line), end - listing.find("handle", line));
    fixture.nft("replace rule inet " + fixture.table() + " n1-forward " + handle + " accept " + comment);
    CHECK(fixture.listed() == only(fixture.network.id, false));
}

TEST_CASE("a daemon that starts anew finds the rules of the one before complete", "[firewall]") {
    FirewallFixture fixture;
    value_of(fixture.firewall.apply(fixture.network));
    kernel::LinuxFirewall next(fixture.host.options());
    CHECK(value_of(next.list({fixture.network})) == only(fixture.network.id, true));
    auto changed = fixture.network;
    changed.nat.on = false;
    CHECK(value_of(next.list({changed})) == only(fixture.network.id, false));
}

TEST_CASE("removing one network's rules leaves the other's, and the last takes the table along", "[firewall]") {
    FirewallFixture fixture;
    auto other = fixture.network;
    other.id = NetworkId{2};
    other.ipv4 = value_of(Prefix::parse("10.213.8.0/24"));
    other.ipv6 = value_of(Prefix::parse("fd21:3707:2::/64"));
    value_of(fixture.firewall.apply(fixture.network));
    value_of(fixture.firewall.apply(other));
    fixture.nft("add table inet somebody");

    value_of(fixture.firewall.remove(fixture.network.id));
    CHECK(value_of(fixture.firewall.list({fixture.network, other})) == only(other.id, true));
    CHECK(value_of(fixture.firewall.list({})) == only(other.id, false));  // unwanted: seen, to be removed
    value_of(fixture.firewall.remove(other.id));
    CHECK(fixture.host.run_on_host({"nft", "list", "tables"}) == "table inet somebody\n");
    value_of(fixture.firewall.remove(other.id));
}

TEST_CASE("removing a network from a table that was put to sleep leaves the other's rules", "[firewall]") {
    FirewallFixture fixture;
    auto other = fixture.network;
    other.id = NetworkId{2};
    value_of(fixture.firewall.apply(fixture.network));
    value_of(fixture.firewall.apply(other));
    fixture.nft("add table inet " + fixture.table() + " { flags dormant; }");
    value_of(fixture.firewall.remove(other.id));
    CHECK(fixture.listed() == only(fixture.network.id, true));
}

TEST_CASE("asking whether the firewall works changes nothing", "[firewall]") {
    TestHost host;
    const auto entered = host.enter();
    kernel::LinuxFirewall firewall(host.options());
    value_of(firewall.available());
    CHECK(host.run_on_host({"nft", "list", "ruleset"}).empty());
}
