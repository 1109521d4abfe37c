#include <fmt/format.h>

#include <set>

#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

/// A jail with these static addresses on the network `default`.
model::NamedSpec with_static(const std::string& name, std::initializer_list<std::string_view> wanted) {
    auto spec = plain(name);
    for (const auto text : wanted) spec.spec.network.interfaces[0].addresses.push_back(*Prefix::parse(text));
    return spec;
}

model::NamedSpec with_mode_none(const std::string& name) {
    auto spec = plain(name);
    spec.spec.network.mode = model::NetworkMode::none;
    spec.spec.network.interfaces.clear();
    return spec;
}

/// A jail with an interface on each of these networks.
model::NamedSpec on(const std::string& name, std::initializer_list<std::string_view> networks) {
    auto spec = plain(name);
    spec.spec.network.interfaces.clear();
    for (const auto network : networks)
        spec.spec.network.interfaces.push_back({.network = std::string(network), .addresses = {}});
    return spec;
}

/// A jail on these addresses of the host.
model::NamedSpec with_aliases(const std::string& name, std::initializer_list<std::string_view> wanted) {
    auto spec = plain(name);
    spec.spec.network.mode = model::NetworkMode::alias;
    spec.spec.network.interfaces = {{.network = {}, .interface = "em0", .addresses = {}, .mac = {}, .name = {}}};
    for (const auto text : wanted) spec.spec.network.interfaces[0].addresses.push_back(*Prefix::parse(text));
    return spec;
}

NetworkId add_network(store::Store& store, std::string_view name, std::string_view ipv4, std::string_view ipv6) {
    return value_of(store::write<model::Network>(
                        store, [&](store::Writer& writer) { return writer.insert_network(network(name, ipv4, ipv6)); }))
        .id;
}

std::string updated(store::Store& store, JailId id, const model::NamedSpec& spec) {
    auto jail =
        store::write<model::Jail>(store, [&](store::Writer& writer) { return writer.update_jail(id, spec.spec); });
    if (!jail) FAIL(jail.error().to_string());
    return addresses(*jail);
}

void erase(store::Store& store, JailId id) {
    REQUIRE(store.write([&](store::Writer& writer) { return writer.delete_jail(id); }));
}

}  // namespace

TEST_CASE("addresses are the lowest free ones above the gateway, and go back when the jail is gone",
          "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    const auto a = insert(store, "a");
    const auto b = insert(store, "b");
    insert(store, "c");
    CHECK(addresses(a) == "10.213.0.2/24 fd12:3456:789a::2/64");
    CHECK(addresses(b) == "10.213.0.3/24 fd12:3456:789a::3/64");
    erase(store, b.id);
    CHECK(addresses(insert(store, "d")) == "10.213.0.3/24 fd12:3456:789a::3/64");
    CHECK(addresses(insert(store, "e")) == "10.213.0.5/24 fd12:3456:789a::5/64");
    CHECK(addresses(insert(store, with_mode_none("f"))).empty());
}

TEST_CASE("of a family that an interface learns it is given no address, and gives up the one that it had",
          "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    auto spec = plain("a");
    const auto a = insert(store, spec);
    CHECK(addresses(a) == "10.213.0.2/24 fd12:3456:789a::2/64");
    spec.spec.network.interfaces[0].slaac = true;
    CHECK(updated(store, a.id, spec) == "10.213.0.2/24");
    CHECK(addresses(insert(store, "b")) == "10.213.0.3/24 fd12:3456:789a::2/64");
    spec.spec.network.interfaces[0].slaac = false;
    CHECK(updated(store, a.id, spec) == "10.213.0.2/24 fd12:3456:789a::3/64");
    spec.spec.network.interfaces[0].dhcp = true;
    CHECK(updated(store, a.id, spec) == "fd12:3456:789a::3/64");

    // Of a family that its network has: what the others say must be of its subnet.
    auto six = network("six", "10.9.0.0/24", "fd00:9::/64");
    six.ipv4.reset();
    REQUIRE(store::write<model::Network>(store, [&](store::Writer& writer) { return writer.insert_network(six); }));
    auto other = on("c", {"six"});
    other.spec.network.interfaces[0].dhcp = true;
    const auto error = insert_refused(store, other);
    CHECK(error.code == Errc::invalid);
    CHECK(error.reason == "field_not_applicable");
    CHECK(error.field == "/network/interfaces/0/ipv4");
}

TEST_CASE("a static address is taken as given, the other family is assigned", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    CHECK(addresses(insert(store, with_static("a", {"10.213.0.3/24"}))) == "10.213.0.3/24 fd12:3456:789a::2/64");
    CHECK(addresses(insert(store, with_static("b", {"fd12:3456:789a::ffff:0:0:1/64", "10.213.0.254/24"}))) ==
          "10.213.0.254/24 fd12:3456:789a:0:ffff::1/64");
    CHECK(addresses(insert(store, "c")) == "10.213.0.2/24 fd12:3456:789a::3/64");
    CHECK(addresses(insert(store, "d")) == "10.213.0.4/24 fd12:3456:789a::4/64");  // .3 is a's
    const auto error = insert_refused(store, with_static("e", {"fd12:3456:789a::9/64", "10.213.0.3/24"}));
    CHECK(error.code == Errc::conflict);
    CHECK(error.reason == "address_in_use");
    CHECK(error.field == "/network/interfaces/0/addresses/1");
    CHECK(error.detail.find("\"a\"") != std::string::npos);
}

TEST_CASE("a static address that no jail can have is refused", "[store][addresses]") {
    MemoryState state;
    const auto refused = [&](std::string_view address) {
        const auto error = insert_refused(*state.store, with_static("a", {address}));
        CHECK(error.code == Errc::invalid);
        CHECK(error.field == "/network/interfaces/0/addresses/0");
        return error.reason;
    };
    CHECK(refused("10.213.1.9/24") == "address_outside");
    CHECK(refused("10.213.0.9/16") == "address_outside");  // another length
    CHECK(refused("fd12:3456:789b::9/64") == "address_outside");
    CHECK(refused("10.213.0.0/24") == "address_reserved");
    CHECK(refused("10.213.0.255/24") == "address_reserved");
    CHECK(refused("fd12:3456:789a::/64") == "address_reserved");
    CHECK(refused("10.213.0.1/24") == "address_is_gateway");
    CHECK(refused("fd12:3456:789a::1/64") == "address_is_gateway");
    CHECK(all_jails(*state.store).empty());
}

TEST_CASE("a network that is not there is refused with its field", "[store][addresses]") {
    MemoryState state;
    auto spec = plain("a");
    spec.spec.network.interfaces[0].network = "lab";
    const auto error = insert_refused(*state.store, spec);
    CHECK(error.code == Errc::invalid);
    CHECK(error.reason == "network_not_found");
    CHECK(error.field == "/network/interfaces/0/network");
}

TEST_CASE("a full subnet says so, and gives the broadcast address to nobody", "[store][addresses]") {
    MemoryState state({}, "10.213.0.0/29");
    for (int host = 2; host <= 6; ++host) {
        CHECK(
            addresses(insert(*state.store, fmt::format("j{}", host))).starts_with(fmt::format("10.213.0.{}/29", host)));
    }
    const auto error = insert_refused(*state.store, plain("one-more"));
    CHECK(error.code == Errc::exhausted);
    CHECK(error.reason == "addresses_exhausted");
}

TEST_CASE("a subnet without room for a jail says so", "[store][addresses]") {
    MemoryState state({}, "10.213.0.0/31");
    CHECK(insert_refused(*state.store, plain("a")).reason == "addresses_exhausted");
}

TEST_CASE("a change of the spec moves only the addresses that it is about", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    insert(store, "first");
    const auto jail = insert(store, "web");
    auto relabelled = plain("web");
    relabelled.spec.labels["a"] = "b";
    CHECK(updated(store, jail.id, relabelled) == "10.213.0.3/24 fd12:3456:789a::3/64");
    CHECK(updated(store, jail.id, with_static("web", {"10.213.0.50/24"})) == "10.213.0.50/24 fd12:3456:789a::3/64");
    CHECK(updated(store, jail.id, plain("web")) == "10.213.0.50/24 fd12:3456:789a::3/64");  // it still fits
    CHECK(addresses(insert(store, "second")) == "10.213.0.3/24 fd12:3456:789a::4/64");
    CHECK(updated(store, jail.id, with_mode_none("web")).empty());
    CHECK(updated(store, jail.id, plain("web")) == "10.213.0.4/24 fd12:3456:789a::3/64");
}

TEST_CASE("a change that is refused keeps the addresses", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    const auto first = insert(store, "first");
    const auto web = insert(store, "web");
    const auto refused = store::write<model::Jail>(store, [&](store::Writer& writer) {
        return writer.update_jail(web.id, with_static("web", {"10.213.0.2/24"}).spec);
    });
    CHECK(refused.error().reason == "address_in_use");
    const auto jails = all_jails(store);
    CHECK(addresses(jails[0]) == addresses(first));
    CHECK(addresses(jails[1]) == addresses(web));
    CHECK(jails[1].generation == 1);
}

TEST_CASE("each interface of a jail has addresses of its own network", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    const auto lab = add_network(store, "lab", "10.99.0.0/24", "fd99::/64");
    const auto jail = insert(store, on("web", {"default", "lab", "lab"}));
    CHECK(addresses(jail) == "10.213.0.2/24 fd12:3456:789a::2/64 10.99.0.2/24 fd99::2/64 10.99.0.3/24 fd99::3/64");
    REQUIRE(jail.interfaces.size() == 3);
    CHECK(jail.interfaces[0].network != lab);
    CHECK(jail.interfaces[1].network == lab);
    CHECK(jail.interfaces[2].network == lab);
    CHECK(all_jails(store).front().interfaces == jail.interfaces);
}

TEST_CASE("an interface keeps its addresses while others come and go", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    add_network(store, "lab", "10.99.0.0/24", "fd99::/64");
    const auto jail = insert(store, on("web", {"default"}));
    insert(store, on("db", {"lab"}));
    CHECK(updated(store, jail.id, on("web", {"default", "lab"})) ==
          "10.213.0.2/24 fd12:3456:789a::2/64 10.99.0.3/24 fd99::3/64");
    CHECK(updated(store, jail.id, on("web", {"default"})) == "10.213.0.2/24 fd12:3456:789a::2/64");
    CHECK(addresses(insert(store, on("mail", {"lab"}))) == "10.99.0.3/24 fd99::3/64");
    CHECK(updated(store, jail.id, on("web", {"lab"})) == "10.99.0.4/24 fd99::4/64");
    CHECK(addresses(insert(store, "next")) == "10.213.0.2/24 fd12:3456:789a::2/64");
}

TEST_CASE("what is wrong with an interface is said with its place in the list", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    add_network(store, "lab", "10.99.0.0/30", "fd99::/64");
    auto spec = on("web", {"default", "lab"});
    const auto refused = [&](std::string_view address) {
        spec.spec.network.interfaces[1].addresses = {*Prefix::parse(address)};
        const auto error = insert_refused(store, spec);
        CHECK(error.field == "/network/interfaces/1/addresses/0");
        return error.reason;
    };
    CHECK(refused("10.213.0.9/24") == "address_outside");
    CHECK(refused("fd99::1/64") == "address_is_gateway");
    CHECK(insert_refused(store, on("web", {"default", "nowhere"})).field == "/network/interfaces/1/network");

    auto twice = on("web", {"default", "default"});
    for (auto& interface : twice.spec.network.interfaces) interface.addresses = {*Prefix::parse("10.213.0.9/24")};
    const auto error = insert_refused(store, twice);
    CHECK(error.reason == "address_in_use");
    CHECK(error.field == "/network/interfaces/1/addresses/0");

    insert(store, on("db", {"lab"}));  // the only one that fits into a /30
    const auto full = insert_refused(store, on("web", {"default", "lab"}));
    CHECK(full.reason == "addresses_exhausted");
    CHECK(full.field == "/network/interfaces/1/network");
    CHECK(all_jails(store).size() == 1);
}

TEST_CASE("a MAC address is one jail's alone on its network", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    add_network(store, "lab", "10.99.0.0/24", "fd99::/64");
    const auto with_mac = [](const std::string& name, std::initializer_list<std::string_view> networks) {
        auto spec = on(name, networks);
        for (auto& interface : spec.spec.network.interfaces) interface.mac = "06:00:00:00:00:01";
        return spec;
    };
    const auto web = insert(store, with_mac("web", {"default", "lab"}));
    const auto error = insert_refused(store, with_mac("db", {"lab"}));
    CHECK(error.code == Errc::conflict);
    CHECK(error.reason == "mac_in_use");
    CHECK(error.field == "/network/interfaces/0/mac");
    CHECK(error.detail.find("\"web\"") != std::string::npos);
    CHECK(insert_refused(store, with_mac("db", {"default", "default"})).reason == "mac_in_use");

    updated(store, web.id, with_mac("web", {"default"}));
    insert(store, with_mac("db", {"lab"}));
    erase(store, web.id);
    insert(store, with_mac("next", {"default"}));
}

TEST_CASE("an interface's MTU is at most its network's", "[store][addresses]") {
    MemoryState state;
    auto spec = plain("web");
    spec.spec.network.interfaces[0].mtu = 1501;
    const auto error = insert_refused(*state.store, spec);
    CHECK(error.reason == "mtu_too_large");
    CHECK(error.field == "/network/interfaces/0/mtu");
    spec.spec.network.interfaces[0].mtu = 1500;
    insert(*state.store, spec);
}

TEST_CASE("addresses stay with a jail over restarts and stops", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    insert(store, "first");
    auto web = insert(store, "web");
    const auto before = addresses(web);
    erase(store, all_jails(store).front().id);  // a lower address is free now
    for (const bool running : {false, true}) {
        auto spec = plain("web");
        spec.spec.running = running;
        CHECK(updated(store, web.id, spec) == before);
        web = value_of(
            store::write<model::Jail>(store, [&](store::Writer& writer) { return writer.request_restart(web.id); }));
        CHECK(addresses(web) == before);
    }
}

TEST_CASE("a static address of one interface is not assigned to another of the same jail", "[store][addresses]") {
    MemoryState state;
    auto spec = on("web", {"default", "default"});
    spec.spec.network.interfaces[1].addresses = {*Prefix::parse("10.213.0.2/24")};
    CHECK(addresses(insert(*state.store, spec)) ==
          "10.213.0.3/24 fd12:3456:789a::2/64 10.213.0.2/24 fd12:3456:789a::3/64");
}

TEST_CASE("thousands of jails each have their own address", "[store][addresses]") {
    MemoryState state({}, "10.213.0.0/16");
    constexpr int count = 3000;
    REQUIRE(state.store->write([](store::Writer& writer) -> Result<void> {
        for (int i = 0; i < count; ++i) {
            auto jail = writer.insert_jail(plain(fmt::format("j{}", i)));
            if (!jail) return std::unexpected(jail.error());
        }
        return {};
    }));
    std::set<std::string> distinct;
    for (const auto& jail : all_jails(*state.store)) {
        for (const auto& address : jail.addresses()) distinct.insert(address.to_string());
    }
    CHECK(distinct.size() == 2 * count);
    CHECK(distinct.contains(fmt::format("10.213.{}.{}/16", (count + 1) / 256, (count + 1) % 256)));
}

TEST_CASE("the owners of all addresses are listed by network, with what is isolated", "[store][addresses]") {
    MemoryState state;
    auto& store = *state.store;
    auto dmz = network("dmz", "10.213.9.0/24", "fd12:3456:789b::/64");
    dmz.isolated = true;
    value_of(store::write<model::Network>(store, [&](store::Writer& writer) { return writer.insert_network(dmz); }));
    auto away = plain("away");
    away.spec.network.interfaces[0].network = "dmz";
    const auto first = insert(store, away);
    const auto second = insert(store, "web");

    const auto owners = value_of(store::read<std::vector<store::AddressOwner>>(
        store, [](store::Reader& reader) { return reader.address_owners(); }));
    std::vector<std::string> lines;
    for (const auto& one : owners)
        lines.push_back(fmt::format("{} {} {} {}{}", one.jail.value, one.name, one.network_name,
                                    one.address.to_string(), one.isolated ? " isolated" : ""));
    const auto line = [](const model::Jail& jail, const std::string& rest) {
        return fmt::format("{} {}", jail.id.value, rest);
    };
    CHECK(lines == std::vector{line(second, "web default 10.213.0.2"), line(second, "web default fd12:3456:789a::2"),
                               line(first, "away dmz 10.213.9.2 isolated"),
                               line(first, "away dmz fd12:3456:789b::2 isolated")});
}

TEST_CASE("no two jails have one address of the host", "[store][addresses][alias]") {
    MemoryState state;
    auto& store = *state.store;
    const auto web = insert(store, with_aliases("web", {"192.0.2.10/32", "2001:db8::10/128"}));
    CHECK(addresses(web) == "192.0.2.10/32 2001:db8::10/128");
    CHECK(web.interfaces.empty());
    for (const auto* taken : {"192.0.2.10/32", "192.0.2.10/24", "2001:db8::10/64"}) {
        const auto error = insert_refused(store, with_aliases("db", {"192.0.2.11/32", taken}));
        CHECK(error.code == Errc::conflict);
        CHECK(error.reason == "address_in_use");
        CHECK(error.field == "/network/interfaces/0/addresses/1");
        CHECK(error.detail.contains("web"));
    }
    // What it gives up is another's, at once and when it goes.
    CHECK(updated(store, web.id, with_aliases("web", {"192.0.2.11/32"})) == "192.0.2.11/32");
    const auto db = insert(store, with_aliases("db", {"192.0.2.10/32"}));
    CHECK(insert_refused(store, with_aliases("x", {"192.0.2.11/32"})).reason == "address_in_use");
    CHECK(updated(store, web.id, plain("web")) == "10.213.0.2/24 fd12:3456:789a::2/64");
    CHECK(addresses(insert(store, with_aliases("x", {"192.0.2.11/32"}))) == "192.0.2.11/32");
    erase(store, db.id);
    insert(store, with_aliases("y", {"192.0.2.10/32"}));
}

TEST_CASE("an address of the host is none that a network gives out", "[store][addresses][alias]") {
    MemoryState state;
    auto& store = *state.store;
    CHECK(insert_refused(store, with_aliases("web", {"10.213.0.77/32"})).detail.contains("network \"default\""));
    CHECK(insert_refused(store, with_aliases("web", {"fd12:3456:789a::77/128"})).reason == "address_in_use");
    insert(store, with_aliases("web", {"10.9.0.7/32", "2001:db8:9::7/128"}));

    auto lab = network("lab", "10.9.0.0/24", "2001:db8:9::/64");
    const auto add = [&] {
        return store::write<model::Network>(store, [&](store::Writer& writer) { return writer.insert_network(lab); });
    };
    CHECK(add().error().reason == "address_in_use");
    CHECK(add().error().field == "/ipv4");
    const auto reserve = [&](const char* address) {
        const auto one = *IpAddress::parse(address);
        lab.reserved.push_back({.first = one, .last = one});
    };
    reserve("10.9.0.7");
    CHECK(add().error().field == "/ipv6");
    reserve("2001:db8:9::7");
    CHECK(add().has_value());
    // Reserved for it: not for a jail of the network either.
    auto near = on("near", {"lab"});
    near.spec.network.interfaces[0].addresses = {*Prefix::parse("10.9.0.7/24")};
    const auto error = insert_refused(store, near);
    CHECK(error.reason == "address_in_use");
    CHECK(error.detail.contains("web"));
}
