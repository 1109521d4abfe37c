#include "core/kernel/names.h"

#include <set>

#include "tests/instance.h"

using namespace jaild;
using namespace jaild::kernel;
using jaild::test::instance;

TEST_CASE("an interface's name leads back to its jail and fits the kernel", "[names]") {
    for (const std::int64_t id : {1LL, 9LL, 10LL, 35LL, 36LL, 1000LL, 2'821'109'907'455LL}) {
        const auto host = pair_name(instance(), {JailId{id}}, PairEnd::host);
        INFO(host);
        CHECK(host.size() <= kMaxInterfaceName);
        CHECK(parse_pair_name(instance(), host) == LinkId{JailId{id}});
        CHECK(parse_bridge_name(instance(), bridge_name(instance(), NetworkId{id})) == NetworkId{id});
    }
    CHECK(pair_name(instance(), {JailId{12}}, PairEnd::host) == "jk3f9aca");
    CHECK(pair_name(instance(), {JailId{12}}, PairEnd::jail) == "jk3f9acb");
    CHECK(bridge_name(instance(), NetworkId{1}) == "jk3f9a1n");
    CHECK(vlan_name(instance(), NetworkId{1}) == "jk3f9a1v");
    CHECK(parse_vlan_name(instance(), "jk3f9a1v") == NetworkId{1});
    CHECK_FALSE(parse_vlan_name(instance(), "jk3f9a1n"));
}

TEST_CASE("each of a jail's interfaces has names and addresses of its own", "[names]") {
    std::set<std::string> seen;
    for (unsigned index = 0; index < kMaxInterfaces; ++index) {
        const LinkId link{.jail = JailId{12}, .index = index};
        const auto host = pair_name(instance(), link, PairEnd::host);
        INFO(host);
        CHECK(parse_pair_name(instance(), host) == link);
        CHECK_FALSE(parse_bridge_name(instance(), host));
        for (const auto end : {PairEnd::host, PairEnd::jail}) {
            CHECK(seen.insert(pair_name(instance(), link, end)).second);
            CHECK(seen.insert(mac_address(instance(), link, end)).second);
        }
        CHECK(jail_interface(index) == "vnet" + std::to_string(index));
    }
    CHECK(pair_name(instance(), {.jail = JailId{12}, .index = 1}, PairEnd::host) == "jk3f9acc");
    CHECK(pair_name(instance(), {.jail = JailId{12}, .index = 7}, PairEnd::jail) == "jk3f9acp");
}

TEST_CASE("a name that we would not have written is nobody's of ours", "[names]") {
    for (const char* name :
         {"", "eth0", "jk3f9aa", "jk3f9a0a", "jk3f9a01a", "jk3f9acb", "jk3f9acd", "jk3f9acq", "jk3f9a1n", "jk3f9bca",
          "Jk3f9aca", "jk3f9aCa", "jk3f9ac-a", "jk3f9azzzzzzzzza", "jk3f9a a", "jk3f9aca "}) {
        INFO(name);
        CHECK_FALSE(parse_pair_name(instance(), name));
    }
    CHECK_FALSE(parse_bridge_name(instance(), "jk3f9aca"));
}

TEST_CASE("marks, containers and tables carry instance and id", "[names]") {
    CHECK(jail_mark(instance(), JailId{12}) == "jaild:k3f9a:jail:12");
    CHECK(network_mark(instance(), NetworkId{1}) == "jaild:k3f9a:network:1");
    CHECK(container_name(instance(), JailId{12}) == "jaild-k3f9a-12");
    CHECK(cgroup_path(instance(), JailId{12}) == "jaild/k3f9a/12");
    CHECK(nft_table(instance()) == "jaild-k3f9a");
    CHECK(jail_anchor(instance(), JailId{12}) == "jaild/k3f9a-j12");
    CHECK(network_anchor(instance(), NetworkId{1}) == "jaild/k3f9a-n1");

    CHECK(parse_jail_mark(instance(), "jaild:k3f9a:jail:12") == JailId{12});
    CHECK(parse_network_mark(instance(), "jaild:k3f9a:network:1") == NetworkId{1});
    CHECK(bridge_mark(instance(), NetworkId{1}, "") == "jaild:k3f9a:network:1");
    CHECK(bridge_mark(instance(), NetworkId{1}, "em1") == "jaild:k3f9a:network:1 uplink em1");
    CHECK(parse_bridge_mark(instance(), NetworkId{1}, "jaild:k3f9a:network:1") == "");
    CHECK(parse_bridge_mark(instance(), NetworkId{1}, "jaild:k3f9a:network:1 uplink em1") == "em1");
    for (const char* other : {"", "jaild:k3f9a:network:12", "jaild:k3f9a:network:1 uplink ", "jaild:k3f9a:network:1 x",
                              "jaild:k3f9a:network:12 uplink em1"})
        CHECK_FALSE(parse_bridge_mark(instance(), NetworkId{1}, other));
    CHECK(parse_container_name(instance(), "jaild-k3f9a-12") == JailId{12});
}

TEST_CASE("a mark is read only in the form in which it is written", "[names]") {
    for (const char* mark : {"jaild:k3f9a:jail:", "jaild:k3f9a:jail:012", "jaild:k3f9a:jail:+1", "jaild:k3f9a:jail:-1",
                             "jaild:k3f9a:jail:0", "jaild:k3f9a:jail:1 ", "jaild:k3f9b:jail:1", "jaild:k3f9a:network:1",
                             "jaild:k3f9a:jail:99999999999999999999"}) {
        INFO(mark);
        CHECK_FALSE(parse_jail_mark(instance(), mark));
    }
    CHECK_FALSE(parse_container_name(instance(), "jaild-k3f9a-12x"));
    CHECK_FALSE(parse_container_name(instance(), "jaild-k3f9a"));
}

TEST_CASE("addresses of the link layer are stable, locally administered and differ", "[names]") {
    std::set<std::string> seen;
    for (std::int64_t id = 1; id <= 1000; ++id) {
        for (const auto& mac :
             {mac_address(instance(), {JailId{id}}, PairEnd::host),
              mac_address(instance(), {JailId{id}}, PairEnd::jail), bridge_mac_address(instance(), NetworkId{id})}) {
            REQUIRE(mac.size() == 17);
            REQUIRE(mac.starts_with("02:"));
            REQUIRE(seen.insert(mac).second);
        }
    }
    CHECK(mac_address(instance(), {JailId{1}}, PairEnd::host) == mac_address(instance(), {JailId{1}}, PairEnd::host));
    CHECK(mac_address(instance(), {JailId{1}}, PairEnd::host) !=
          mac_address(*InstanceId::parse("aaaaa"), {JailId{1}}, PairEnd::host));
}
