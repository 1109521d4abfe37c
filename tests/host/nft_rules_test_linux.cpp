#include <fmt/format.h>

#include "core/kernel/linux/nft_rules.h"
#include "core/kernel/names.h"
#include "tests/instance.h"

using namespace jaild;
using namespace jaild::test;
namespace nft = jaild::kernel::nft;

namespace {

model::Network network() {
    return {.id = NetworkId{1},
            .name = value_of(model::Name::parse("default")),
            .ipv4 = value_of(Prefix::parse("10.213.0.0/24")),
            .ipv6 = value_of(Prefix::parse("fd00:1::/64"))};
}

}  // namespace

TEST_CASE("the rules of a network say the default policy", "[nft]") {
    const auto chains = nft::chains(instance(), network());
    REQUIRE(chains.size() == 3);
    CHECK(chains[0].name == "n1-source");
    CHECK(chains[0].rules ==
          std::vector<std::string>{R"(iifname "jk3f9a1n" ip saddr != { 0.0.0.0, 10.213.0.0/24 } drop)",
                                   R"(iifname "jk3f9a1n" ip6 saddr != { ::, fe80::/10, fd00:1::/64 } drop)"});
    CHECK(chains[1].name == "n1-forward");
    CHECK(chains[1].rules ==
          std::vector<std::string>{R"(iifname != "jk3f9a1n" oifname "jk3f9a1n" ct state established,related accept)",
                                   R"(iifname != "jk3f9a1n" oifname "jk3f9a1n" ip daddr @decided4 accept)",
                                   R"(iifname != "jk3f9a1n" oifname "jk3f9a1n" ip6 daddr @decided6 accept)",
                                   R"(iifname != "jk3f9a1n" oifname "jk3f9a1n" drop)"});
    CHECK(chains[2].name == "n1-nat");
    CHECK(chains[2].rules == std::vector<std::string>{R"(ip saddr 10.213.0.0/24 oifname != "jk3f9a1n" masquerade)",
                                                      R"(ip6 saddr fd00:1::/64 oifname != "jk3f9a1n" masquerade)"});
}

TEST_CASE("NAT by one interface, to one address", "[nft][networks]") {
    auto one = network();
    one.nat = {.interface = "em0", .address6 = value_of(IpAddress::parse("2001:db8::7"))};
    CHECK(nft::chains(instance(), one)[2].rules ==
          std::vector<std::string>{R"(ip saddr 10.213.0.0/24 oifname "em0" masquerade)",
                                   R"(ip6 saddr fd00:1::/64 oifname "em0" snat ip6 to 2001:db8::7)"});
}

TEST_CASE("what an isolated network's jails send each other by way of the host is dropped", "[nft][networks]") {
    auto apart = network();
    apart.isolated = true;
    const auto rules = nft::chains(instance(), apart)[1].rules;
    REQUIRE(rules.size() == 5);
    CHECK(rules.back() == fmt::format(R"(iifname "jk3f9a1n" oifname "jk3f9a1n" ether daddr {} drop)",
                                      kernel::bridge_mac_address(instance(), apart.id)));
}

TEST_CASE("beside an uplink only what is sent to this host has to come from the network", "[nft][networks]") {
    auto bridged = network();
    bridged.uplink = "em1";
    const auto start =
        fmt::format(R"(iifname "jk3f9a1n" ether daddr {} ip)", kernel::bridge_mac_address(instance(), bridged.id));
    const auto chains = nft::chains(instance(), bridged);
    for (const auto& rule : chains[0].rules) CHECK(rule.starts_with(start));
}

TEST_CASE("on a bridge of the host's there is NAT and nothing else", "[nft][networks]") {
    auto theirs = network();
    theirs.bridge = "br0";
    const auto chains = nft::chains(instance(), theirs);
    REQUIRE(chains.size() == 1);
    CHECK(chains[0].rules == std::vector<std::string>{R"(ip saddr 10.213.0.0/24 oifname != "br0" masquerade)",
                                                      R"(ip6 saddr fd00:1::/64 oifname != "br0" masquerade)"});
}

TEST_CASE("without NAT its chain is there and empty", "[nft]") {
    auto plain = network();
    plain.nat.on = false;
    CHECK(nft::chains(instance(), plain)[2].rules.empty());
}

TEST_CASE("a rule's comment names its network and follows its text", "[nft]") {
    const auto before = nft::chains(instance(), network());
    auto moved = network();
    moved.ipv4 = value_of(Prefix::parse("10.213.1.0/24"));
    const auto after = nft::chains(instance(), moved);
    CHECK(before[0].comments[0].starts_with("jaild:k3f9a:network:1 1/2 "));
    CHECK(before[0].comments[0] != after[0].comments[0]);
    CHECK(before[0].comments[1] == after[0].comments[1]);
    CHECK(before[0].comments[0].size() <= 128);  // nft(8): a comment's maximum
}

TEST_CASE("a network's chains are replaced in one transaction, whatever they were", "[nft]") {
    const auto commands = nft::load_commands(instance(), network());
    CHECK(
        commands.starts_with("add table inet jaild-k3f9a\n"
                             "add set inet jaild-k3f9a decided4 { type ipv4_addr; }\n"
                             "add set inet jaild-k3f9a decided6 { type ipv6_addr; }\n"
                             "add chain inet jaild-k3f9a n1-source\n"
                             "delete chain inet jaild-k3f9a n1-source\n"
                             "add chain inet jaild-k3f9a n1-source { type filter hook prerouting priority -300; "
                             "policy accept; }\n"
                             "add rule inet jaild-k3f9a n1-source iifname"));
    CHECK_FALSE(commands.contains("flush table"));
    CHECK_FALSE(commands.contains("delete table"));
}

TEST_CASE("a chain leads back to its network only by a name of ours", "[nft]") {
    CHECK(nft::network_of("n12-forward") == NetworkId{12});
    CHECK(nft::network_of("n1-nat") == NetworkId{1});
    for (const char* name : {"", "n", "n1", "n1-", "n1-other", "n01-nat", "n0-nat", "n-1-nat", "x1-nat", "n1-nat2",
                             "n99999999999999999999-nat"}) {
        INFO(name);
        CHECK(nft::network_of(name) == NetworkId{});
    }
}
