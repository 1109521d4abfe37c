#include "core/model/network.h"

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::model;
using nlohmann::json;
using test::value_of;

namespace {

/// Read and checked, as one that is asked for with all that must be chosen.
Result<Network> read_network(json fields) {
    if (!fields.contains("ipv4")) fields["ipv4"] = "10.213.0.0/24";
    if (!fields.contains("ipv6")) fields["ipv6"] = "fd00:1::/64";
    auto request = parse_network_fields(*Name::parse("lab"), fields);
    if (!request) return std::unexpected(request.error());
    if (auto good = check_network(request->network); !good) return std::unexpected(good.error());
    return request->network;
}

struct Refusal {
    const char* fields;
    const char* reason;
    const char* field;
};

}  // namespace

TEST_CASE("a network says what it is in JSON and is read back as the same", "[model][network]") {
    const auto fields = json::parse(R"({
        "ipv4": "192.0.2.0/26", "ipv6": "2001:db8:7::/64", "gateway4": "192.0.2.62", "gateway6": null,
        "nat": {"interface": "em0", "address6": "2001:db8::5"}, "bridge": null, "uplink": "em1", "vlan": 7,
        "mtu": 9000, "isolated": true, "nameservers": ["9.9.9.9", "2620:fe::fe"], "search": ["example.org"],
        "reserved": ["192.0.2.10", "192.0.2.20-192.0.2.29", "2001:db8:7::100-2001:db8:7::1ff"],
        "labels": {"for": "tests"}})");
    const auto network = value_of(read_network(fields));
    CHECK(fields_json(network) == fields);
    CHECK(value_of(read_network(fields_json(network))) == network);
}

TEST_CASE("a family is chosen for a network, or left out of it", "[model][network]") {
    const auto asked = value_of(parse_named_network(json::parse(R"({"name": "lab", "ipv6": null})")));
    CHECK(asked.choose4);
    CHECK_FALSE(asked.choose6);
    CHECK_FALSE(asked.network.ipv6);
    CHECK(asked.network.nat.on);

    const auto only4 = value_of(read_network({{"ipv6", nullptr}}));
    CHECK(only4.bridge_addresses() == std::vector{value_of(Prefix::parse("10.213.0.1/24"))});
    CHECK_FALSE(only4.gateway(Family::ipv6));
    const auto only6 = value_of(read_network({{"ipv4", nullptr}}));
    CHECK(only6.bridge_addresses() == std::vector{value_of(Prefix::parse("fd00:1::1/64"))});
    CHECK_FALSE(only6.gateway(Family::ipv4));
}

TEST_CASE("what is translated on its way out", "[model][network]") {
    const auto translated = [](const json& fields) {
        const auto network = value_of(read_network(fields));
        return std::pair(network.translates(Family::ipv4), network.translates(Family::ipv6));
    };
    CHECK(translated({}) == std::pair(true, true));
    CHECK(translated({{"nat", false}}) == std::pair(false, false));
    // A public prefix needs no NAT unless somebody names the address.
    CHECK(translated({{"ipv6", "2001:db8:7::/64"}}) == std::pair(true, false));
    CHECK(translated({{"ipv6", "2001:db8:7::/64"}, {"nat", {{"address6", "2001:db8::5"}}}}) == std::pair(true, true));
    CHECK(translated({{"ipv4", nullptr}, {"ipv6", "2001:db8:7::/64"}}) == std::pair(false, false));
    // Behind somebody else's gateway this host is not between.
    CHECK(translated({{"gateway4", "10.213.0.9"}}) == std::pair(false, true));
    CHECK(translated({{"gateway4", "10.213.0.9"}, {"gateway6", "fd00:1::9"}}) == std::pair(false, false));
    // On a bridge of the host's NAT is for who asks.
    CHECK(translated({{"bridge", "br0"}}) == std::pair(false, false));
    CHECK(translated({{"bridge", "br0"}, {"nat", true}}) == std::pair(true, true));
}

TEST_CASE("a gateway of somebody else's, or a bridge of the host's, is not addressed by us", "[model][network]") {
    const auto routed = value_of(read_network({{"gateway4", "10.213.0.254"}}));
    CHECK(routed.bridge_addresses() == std::vector{value_of(Prefix::parse("fd00:1::1/64"))});
    CHECK(routed.gateway(Family::ipv4) == value_of(IpAddress::parse("10.213.0.254")));
    const auto theirs = value_of(read_network({{"bridge", "br0"}}));
    CHECK(theirs.bridge_addresses().empty());
    CHECK(theirs.gateway(Family::ipv4) == value_of(IpAddress::parse("10.213.0.1")));
}

TEST_CASE("what no network can be is refused with its field", "[model][network]") {
    const auto one = GENERATE(values<Refusal>({
        {R"({"ipv4": "10.0.0.7/24"})", "invalid_prefix", "/ipv4"},
        {R"({"ipv6": "fd00::1/64"})", "invalid_prefix", "/ipv6"},
        {R"({"ipv4": "10.0.0.0/31"})", "invalid_prefix", "/ipv4"},
        {R"({"ipv4": "0.0.0.0/0"})", "invalid_prefix", "/ipv4"},
        {R"({"ipv6": "fd00::/127"})", "invalid_prefix", "/ipv6"},
        {R"({"ipv6": "2000::/3"})", "invalid_prefix", "/ipv6"},
        {R"({"ipv4": "127.0.0.0/24"})", "invalid_prefix", "/ipv4"},
        {R"({"ipv4": "224.0.0.0/8"})", "invalid_prefix", "/ipv4"},
        {R"({"ipv6": "fe80::/64"})", "invalid_prefix", "/ipv6"},
        {R"({"ipv4": "fd00::/64"})", "invalid_prefix", "/ipv4"},
        {R"({"ipv6": "10.0.0.0/24"})", "invalid_prefix", "/ipv6"},
        {R"({"ipv4": null, "ipv6": null})", "missing_field", "/ipv4"},
        {R"({"ipv4": 7})", "wrong_type", "/ipv4"},
        {R"({"gateway4": "192.0.2.1"})", "address_outside", "/gateway4"},
        {R"({"gateway6": "fd00:2::1"})", "address_outside", "/gateway6"},
        {R"({"gateway4": "10.213.0.0"})", "address_reserved", "/gateway4"},
        {R"({"gateway4": "10.213.0.255"})", "address_reserved", "/gateway4"},
        {R"({"gateway6": "fd00:1::"})", "address_reserved", "/gateway6"},
        {R"({"gateway4": "fd00:1::1"})", "invalid_address", "/gateway4"},
        {R"({"ipv4": null, "gateway4": "10.213.0.9"})", "field_not_applicable", "/gateway4"},
        {R"({"nat": "yes"})", "wrong_type", "/nat"},
        {R"({"nat": {"address4": "fd00::1"}})", "invalid_address", "/nat/address4"},
        {R"({"nat": {"address4": "10.213.0.9"}})", "invalid_value", "/nat/address4"},
        {R"({"nat": {"uplink": "em0"}})", "unknown_field", "/nat/uplink"},
        {R"({"nat": {"interface": "em0\" accept"}})", "invalid_value", "/nat/interface"},
        {R"({"ipv6": null, "nat": {"address6": "2001:db8::1"}})", "field_not_applicable", "/nat/address6"},
        {R"({"gateway4": "10.213.0.9", "gateway6": "fd00:1::9", "nat": true})", "field_not_applicable", "/nat"},
        {R"({"ipv4": null, "ipv6": "2001:db8::/64", "nat": true})", "field_not_applicable", "/nat"},
        {R"({"bridge": "br0", "uplink": "em0"})", "field_not_applicable", "/uplink"},
        {R"({"bridge": "sixteen_bytes_ab"})", "too_long", "/bridge"},
        {R"({"bridge": "a/b"})", "invalid_value", "/bridge"},
        {R"({"bridge": "-a"})", "invalid_value", "/bridge"},
        {R"({"vlan": 7})", "field_not_applicable", "/vlan"},
        {R"({"vlan": 0, "uplink": "em0"})", "invalid_value", "/vlan"},
        {R"({"vlan": 4095, "uplink": "em0"})", "invalid_value", "/vlan"},
        {R"({"vlan": "7", "uplink": "em0"})", "wrong_type", "/vlan"},
        {R"({"mtu": 1279})", "invalid_value", "/mtu"},
        {R"({"mtu": 575, "ipv6": null})", "invalid_value", "/mtu"},
        {R"({"mtu": 65536})", "invalid_value", "/mtu"},
        {R"({"mtu": -1500})", "invalid_value", "/mtu"},
        {R"({"mtu": 1500.5})", "wrong_type", "/mtu"},
        {R"({"reserved": ["10.214.0.1"]})", "address_outside", "/reserved/0"},
        {R"({"reserved": ["10.213.0.9-10.213.1.2"]})", "address_outside", "/reserved/0"},
        {R"({"reserved": ["10.213.0.9-10.213.0.2"]})", "invalid_value", "/reserved/0"},
        {R"({"reserved": ["10.213.0.9-fd00:1::9"]})", "invalid_value", "/reserved/0"},
        {R"({"reserved": ["10.213.0.1"]})", "address_is_gateway", "/reserved/0"},
        {R"({"reserved": ["10.213.0.5", "10.213.0.5"]})", "invalid_value", "/reserved/1"},
        {R"({"reserved": ["10.213.0.5", "10.213.0.2-10.213.0.9"]})", "invalid_value", "/reserved/1"},
        {R"({"reserved": ["nobody"]})", "invalid_address", "/reserved/0"},
        {R"({"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]})", "too_many", "/nameservers"},
        {R"({"search": ["-a"]})", "invalid_value", "/search/0"},
        {R"({"labels": {"": "a"}})", "invalid_value", "/labels/"},
        {R"({"isolated": 1})", "wrong_type", "/isolated"},
        {R"({"subnets": []})", "unknown_field", "/subnets"},
    }));
    INFO(one.fields);
    const auto read_one = read_network(json::parse(one.fields));
    REQUIRE_FALSE(read_one);
    CHECK(read_one.error().reason == std::string(one.reason));
    CHECK(read_one.error().field == one.field);
}

TEST_CASE("a patch of a network changes what it names", "[model][network]") {
    auto network = value_of(read_network({{"reserved", {"10.213.0.9"}}, {"gateway4", "10.213.0.254"}}));
    network.id = NetworkId{3};
    network.generation = 4;
    const auto changed = value_of(merge_patch(
        network, json::parse(R"({"gateway4": null, "ipv6": null, "mtu": 1400, "nat": {"interface": "em0"}})")));
    CHECK_FALSE(changed.router4);
    CHECK_FALSE(changed.ipv6);
    CHECK(changed.mtu == 1400);
    CHECK(changed.nat.interface == "em0");
    CHECK(changed.reserved == network.reserved);
    CHECK(std::pair(changed.id, changed.generation) == std::pair(NetworkId{3}, Generation{4}));
    CHECK(value_of(merge_patch(network, json::object())) == network);
    CHECK(merge_patch(network, {{"name", "other"}}).error().reason == "immutable_field");
    CHECK(merge_patch(network, json::array()).error().reason == "wrong_type");
}
