#include "core/kernel/freebsd/pure/pf_rules.h"

#include <algorithm>

#include "core/kernel/names.h"
#include "tests/instance.h"

using namespace jaild;
using namespace jaild::kernel;
using jaild::test::instance;
namespace pf = jaild::kernel::freebsd::pf;

namespace {

model::Network network() {
    return {.id = NetworkId{1},
            .name = *model::Name::parse("default"),
            .ipv4 = *Prefix::parse("10.213.0.0/24"),
            .ipv6 = *Prefix::parse("fd12:3456:789a:1::/64")};
}

const std::vector<pf::Uplink> kUplinks{{.name = "em0", .ipv4 = true, .ipv6 = true},
                                       {.name = "wg0", .ipv4 = true, .ipv6 = false}};

std::string lines(const std::vector<std::string>& rules) {
    std::string text;
    for (const auto& rule : rules) text += rule + "\n";
    return text;
}

pf::Rules rules() {
    return pf::network_rules(instance(), network(), kUplinks);
}

}  // namespace

TEST_CASE("pf: NAT by one interface, to one address, of the families that need it", "[freebsd][pf][networks]") {
    const auto nat = [](const model::Network& one) { return pf::network_rules(instance(), one, kUplinks).nat; };
    auto one = network();
    one.nat.interface = "wg0";
    CHECK(nat(one) == std::vector<std::string>{"nat on wg0 inet from 10.213.0.0/24 to any -> (wg0:0)"});
    one.nat = {.interface = "em0", .address4 = *IpAddress::parse("192.0.2.7")};
    CHECK(nat(one) == std::vector<std::string>{"nat on em0 inet from 10.213.0.0/24 to any -> 192.0.2.7",
                                               "nat on em0 inet6 from fd12:3456:789a:1::/64 to any -> (em0:0)"});
    one.ipv6 = *Prefix::parse("2001:db8:77::/64");
    CHECK(nat(one).size() == 1);
    one.nat.address6 = *IpAddress::parse("2001:db8::7");
    CHECK(nat(one).back() == "nat on em0 inet6 from 2001:db8:77::/64 to any -> 2001:db8::7");
    one.ipv4.reset();
    CHECK(nat(one).size() == 1);
}

TEST_CASE("the anchor of a network, byte by byte", "[freebsd][pf]") {
    CHECK(pf::anchor_text(rules()) == R"(nat on em0 inet from 10.213.0.0/24 to any -> (em0:0)
nat on em0 inet6 from fd12:3456:789a:1::/64 to any -> (em0:0)
nat on wg0 inet from 10.213.0.0/24 to any -> (wg0:0)
block drop in quick on jk3f9a1n inet from ! 10.213.0.0/24 to any label "jaild:k3f9a:network:1 1/10 e6361fc76d3f399f"
block drop out quick on jk3f9a1n inet from ! 10.213.0.0/24 to 10.213.0.0/24 label "jaild:k3f9a:network:1 2/10 fc862fc95c3691ea"
pass in on jk3f9a1n inet from 10.213.0.0/24 to any flags S/SA keep state label "jaild:k3f9a:network:1 3/10 f9d3deb84c93f311"
pass on jk3f9a1n inet from 10.213.0.0/24 to 10.213.0.0/24 no state label "jaild:k3f9a:network:1 4/10 8f809f285da20d63"
pass quick on jk3f9a1n inet6 proto ipv6-icmp from fe80::/10 to any no state label "jaild:k3f9a:network:1 5/10 1df5a2121baee9e0"
pass in quick on jk3f9a1n inet6 proto ipv6-icmp from :: to ff00::/8 no state label "jaild:k3f9a:network:1 6/10 4c57ebe3d5319a3b"
block drop in quick on jk3f9a1n inet6 from ! fd12:3456:789a:1::/64 to any label "jaild:k3f9a:network:1 7/10 4475510b5756a507"
block drop out quick on jk3f9a1n inet6 from ! fd12:3456:789a:1::/64 to fd12:3456:789a:1::/64 label "jaild:k3f9a:network:1 8/10 00f9723110b14bb8"
pass in on jk3f9a1n inet6 from fd12:3456:789a:1::/64 to any flags S/SA keep state label "jaild:k3f9a:network:1 9/10 ec267c3a42ced661"
pass on jk3f9a1n inet6 from fd12:3456:789a:1::/64 to fd12:3456:789a:1::/64 no state label "jaild:k3f9a:network:1 10/10 36fc9598c85d943d"
)");
}

TEST_CASE("what an isolated network's jails send each other by way of the host is refused before all else",
          "[freebsd][pf][networks]") {
    auto apart = network();
    apart.isolated = true;
    const auto filter = pf::network_rules(instance(), apart, kUplinks).filter;
    REQUIRE(filter.size() == rules().filter.size() + 4);
    const auto begins = [&](std::size_t place, const std::string& text) {
        INFO(filter[place]);
        CHECK(filter[place].starts_with(text + " label "));
    };
    begins(0, "block drop in quick on jk3f9a1n inet from any to 10.213.0.2 - 10.213.0.255");
    begins(1, "block drop out quick on jk3f9a1n inet from 10.213.0.2 - 10.213.0.255 to 10.213.0.2 - 10.213.0.255");
    begins(8,
           "block drop in quick on jk3f9a1n inet6 from any to fd12:3456:789a:1::2 - "
           "fd12:3456:789a:1:ffff:ffff:ffff:ffff");
    // Where somebody else is the gateway, nothing goes by way of this host.
    apart.router4 = *IpAddress::parse("10.213.0.254");
    CHECK(pf::network_rules(instance(), apart, kUplinks).filter.size() == rules().filter.size() + 2);
}

TEST_CASE("nothing is filtered on a bridge of the host's, nor what comes to a gateway's network over its uplink",
          "[freebsd][pf][networks]") {
    auto theirs = network();
    theirs.bridge = "em0";
    CHECK(pf::network_rules(instance(), theirs, kUplinks).filter.empty());
    CHECK(pf::network_rules(instance(), theirs, kUplinks).nat ==
          std::vector<std::string>{"nat on wg0 inet from 10.213.0.0/24 to any -> (wg0:0)"});
    auto bridged = network();
    bridged.uplink = "em1";
    CHECK(pf::network_rules(instance(), bridged, kUplinks).filter == rules().filter);
    bridged.router4 = *IpAddress::parse("10.213.0.254");
    for (const auto& rule : pf::network_rules(instance(), bridged, kUplinks).filter) {
        INFO(rule);
        CHECK_FALSE(rule.contains(" inet "));
    }
}

TEST_CASE("a network without NAT, or a host without an address, translates nothing and still refuses",
          "[freebsd][pf]") {
    auto routed = network();
    routed.nat.on = false;
    CHECK(pf::network_rules(instance(), routed, kUplinks).nat.empty());
    CHECK(pf::network_rules(instance(), routed, kUplinks).filter == rules().filter);
    CHECK(pf::network_rules(instance(), network(), {}).nat.empty());
    CHECK(pf::network_rules(instance(), network(), {{.name = "tun0"}}).nat.empty());
    CHECK(pf::network_rules(instance(), network(), {}).filter == rules().filter);
}

TEST_CASE("no packet is translated that stays in the network, and no odd name gets into a rule", "[freebsd][pf]") {
    const auto translated = [](const std::string& name) {
        return !pf::network_rules(instance(), network(), {{.name = name, .ipv4 = true, .ipv6 = true}}).nat.empty();
    };
    CHECK_FALSE(translated("jk3f9a1n"));  // the bridge itself
    CHECK(translated("em0.100"));
    CHECK(translated("fifteen_chars_0"));
    CHECK_FALSE(translated("sixteen_chars_00"));
    for (const char* odd : {"", "em0 all", "em0\"", "!em0", "em0\npass", "{em0", "(em0)", "em0:0", "$em0", "em0#"}) {
        INFO(odd);
        CHECK_FALSE(translated(odd));
    }
}

TEST_CASE("each filter rule names the bridge and a label that pf can hold", "[freebsd][pf]") {
    auto last = network();
    last.id = NetworkId{2'821'109'907'455};
    for (const auto& one : {network(), last}) {
        const auto bridge = " on " + bridge_name(instance(), one.id) + " ";
        for (const auto& rule : pf::network_rules(instance(), one, kUplinks).filter) {
            INFO(rule);
            CHECK(rule.find(bridge) != std::string::npos);
            const auto begin = rule.find(" label \"") + 8;
            CHECK(rule.size() - 1 - begin < 64);  // PF_RULE_LABEL_SIZE with its NUL
        }
    }
}

TEST_CASE("what pfctl shows is ours only when it is all of it and nothing else", "[freebsd][pf]") {
    const auto expected = rules();
    const auto nat = lines(expected.nat);
    const auto filter = lines(expected.filter);
    CHECK(pf::shows(expected, nat, filter));

    SECTION("however the release shows what a label stands for") {
        auto shown = filter;
        const auto at = shown.find(" flags S/SA");
        shown.erase(at, std::string(" flags S/SA").size());
        CHECK(pf::shows(expected, nat, shown));
        CHECK(pf::shows(expected, lines({expected.nat[0] + " round-robin", expected.nat[1], expected.nat[2]}), filter));
    }
    SECTION("a rule is missing, moved, added or of an older version") {
        for (std::size_t i = 0; i < expected.filter.size(); ++i) {
            auto fewer = expected.filter;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
            CHECK_FALSE(pf::shows(expected, nat, lines(fewer)));
        }
        auto moved = expected.filter;
        std::swap(moved[0], moved[1]);
        CHECK_FALSE(pf::shows(expected, nat, lines(moved)));
        CHECK_FALSE(pf::shows(expected, nat, "pass all flags S/SA keep state\n" + filter));
        auto older = network();
        older.ipv4 = *Prefix::parse("10.213.1.0/24");
        CHECK_FALSE(pf::shows(expected, nat, lines(pf::network_rules(instance(), older, kUplinks).filter)));
    }
    SECTION("translation is missing, or for an interface that came or went") {
        CHECK_FALSE(pf::shows(expected, "", filter));
        CHECK_FALSE(pf::shows(expected, nat + "nat on em1 inet from 10.213.0.0/24 to any -> (em1:0)\n", filter));
        CHECK_FALSE(pf::shows(pf::network_rules(instance(), network(), {kUplinks[0]}), nat, filter));
        CHECK_FALSE(pf::shows(expected, lines({expected.nat[0] + "x", expected.nat[1], expected.nat[2]}), filter));
    }
}

TEST_CASE("only this installation's networks are found among the anchors", "[freebsd][pf]") {
    const auto found = pf::networks(instance(),
                                    "  jaild\n"
                                    "  jaild/k3f9a-n1\n"
                                    "  jaild/k3f9a-n12\n"
                                    "  jaild/k3f9a-n12\n"
                                    "  jaild/k3f9a-j7\n"
                                    "  jaild/other-n3\n"
                                    "  jaild/k3f9a-n04\n"
                                    "  jaild/k3f9a-n0\n"
                                    "  jaild/k3f9a-n5/sub\n"
                                    "  jaild/k3f9a-n99999999999999999999\n"
                                    "  k3f9a-n6\n"
                                    "  ftp-proxy\n");
    CHECK(found == std::vector{NetworkId{1}, NetworkId{12}});
    CHECK(pf::networks(instance(), "").empty());
}

TEST_CASE("a main ruleset without our three lines is told which to add", "[freebsd][pf]") {
    const std::string nat = "nat-anchor \"jaild/*\" all\nrdr-anchor \"jaild/*\" all\n";
    const std::string filter =
        "scrub in all fragment reassemble\nanchor \"jaild/*\" all\npass all flags S/SA keep state\n";
    CHECK(pf::missing_lines(nat, filter).empty());
    CHECK(pf::missing_lines("", "") ==
          std::vector<std::string>{"nat-anchor \"jaild/*\"", "rdr-anchor \"jaild/*\"", "anchor \"jaild/*\""});
    CHECK(pf::missing_lines("nat-anchor \"jaild/*\" all\n", filter) ==
          std::vector<std::string>{"rdr-anchor \"jaild/*\""});
    // Neither evaluates all of our anchors.
    CHECK(pf::missing_lines(nat, "anchor \"jaild/*\" on em0 all\nanchor \"jaild\" all\nanchor \"*\" all\n") ==
          std::vector<std::string>{"anchor \"jaild/*\""});
}

TEST_CASE("pfctl's other answers are understood", "[freebsd][pf]") {
    CHECK(pf::is_enabled("Status: Enabled for 0 days 00:01:02           Debug: Urgent\n\nState Table\n"));
    CHECK_FALSE(pf::is_enabled("Status: Disabled                              Debug: Urgent\n"));
    CHECK_FALSE(pf::is_enabled(""));
    CHECK(pf::is_busy("pfctl: DIOCXCOMMIT: Device busy\n"));
    CHECK_FALSE(pf::is_busy("stdin:1: syntax error\n"));
}
