#include "tests/catch.h"
#include "tests/unit/store/fixture.h"

using namespace jaild;
using namespace jaild::store_test;

namespace {

Result<model::Network> update(store::Store& store, const model::Network& network) {
    return store::write<model::Network>(store, [&](store::Writer& writer) { return writer.update_network(network); });
}

model::Network lab(store::Store& store) {
    return value_of(store::write<model::Network>(store, [](store::Writer& writer) {
        return writer.insert_network(network("lab", "172.30.0.0/24", "fd00:30::/64"));
    }));
}

model::NamedSpec on_lab(const std::string& name, const std::string& address = {}) {
    const auto addresses = address.empty() ? std::string("[]") : "[\"" + address + "\"]";
    return named(R"({"name":")" + name + R"(","network":{"interfaces":[{"network":"lab","addresses":)" + addresses +
                 "}]}}");
}

}  // namespace

TEST_CASE("two networks never overlap, in either family", "[store][networks]") {
    MemoryState state;
    auto made = lab(*state.store);
    const auto inserted = [&](const model::Network& wanted) {
        return store::write<model::Network>(*state.store,
                                            [&](store::Writer& writer) { return writer.insert_network(wanted); });
    };
    CHECK(error_of(inserted(network("a", "172.30.0.128/25", "fd00:31::/64"))).field == "/ipv4");
    CHECK(error_of(inserted(network("a", "172.31.0.0/24", "fd00:30::/80"))).field == "/ipv6");
    made.ipv4 = value_of(Prefix::parse("10.213.0.0/16"));
    CHECK(error_of(update(*state.store, made)).reason == "subnet_in_use");
}

TEST_CASE("a changed network has another generation and starts its search for addresses anew", "[store][networks]") {
    MemoryState state;
    auto made = lab(*state.store);
    made.reserved = {
        {.first = value_of(IpAddress::parse("172.30.0.2")), .last = value_of(IpAddress::parse("172.30.0.9"))}};
    made = value_of(update(*state.store, made));
    CHECK(made.generation == 2);
    CHECK(addresses(insert(*state.store, on_lab("a"))) == "172.30.0.10/24 fd00:30::2/64");
    made.reserved.clear();
    value_of(update(*state.store, made));
    CHECK(addresses(insert(*state.store, on_lab("b"))) == "172.30.0.2/24 fd00:30::3/64");
}

TEST_CASE("a reserved address is never chosen, between others neither", "[store][networks]") {
    MemoryState state;
    auto made = lab(*state.store);
    made.ipv4 = value_of(Prefix::parse("172.30.0.0/29"));
    made.ipv6.reset();
    made.router4 = value_of(IpAddress::parse("172.30.0.4"));
    made.reserved = {
        {.first = value_of(IpAddress::parse("172.30.0.2")), .last = value_of(IpAddress::parse("172.30.0.3"))}};
    made = value_of(update(*state.store, made));
    insert(*state.store, on_lab("asked", "172.30.0.5/29"));
    CHECK(addresses(insert(*state.store, on_lab("a"))) == "172.30.0.1/29");
    CHECK(addresses(insert(*state.store, on_lab("b"))) == "172.30.0.6/29");
    CHECK(insert_refused(*state.store, on_lab("c")).reason == "addresses_exhausted");
    CHECK(insert_refused(*state.store, on_lab("c", "172.30.0.4/29")).reason == "address_is_gateway");
    CHECK(insert_refused(*state.store, on_lab("c", "fd00:30::9/64")).reason == "address_outside");
    CHECK(addresses(insert(*state.store, on_lab("c", "172.30.0.3/29"))) == "172.30.0.3/29");
}

TEST_CASE("no change of a network takes an address from a jail", "[store][networks]") {
    MemoryState state;
    const auto made = lab(*state.store);
    insert(*state.store, on_lab("static", "172.30.0.200/24"));
    insert(*state.store, on_lab("given"));
    const auto refused = [&](const std::function<void(model::Network&)>& change) {
        auto wanted = made;
        change(wanted);
        const auto error = error_of(update(*state.store, wanted));
        CHECK(error.reason == "addresses_in_use");
        return error.detail;
    };
    CHECK(
        refused([](model::Network& one) { one.ipv4 = value_of(Prefix::parse("172.30.0.0/25")); }).ends_with("static"));
    CHECK(refused([](model::Network& one) {
              one.ipv4 = value_of(Prefix::parse("172.30.0.128/25"));
          }).ends_with("static, given"));
    // The same address under another prefix length is not what the jail asked for.
    CHECK(
        refused([](model::Network& one) { one.ipv4 = value_of(Prefix::parse("172.30.0.0/23")); }).ends_with("static"));
    CHECK(refused([](model::Network& one) { one.ipv6.reset(); }).ends_with("static, given"));
    CHECK(refused([](model::Network& one) {
              one.router4 = value_of(IpAddress::parse("172.30.0.2"));
          }).ends_with("given"));
}

TEST_CASE("a family that a network gets comes to its jails", "[store][networks]") {
    MemoryState state;
    auto made = lab(*state.store);
    made.ipv6.reset();
    made = value_of(update(*state.store, made));
    insert(*state.store, on_lab("a"));
    made.ipv6 = value_of(Prefix::parse("fd00:31::/64"));
    value_of(update(*state.store, made));
    CHECK(addresses(all_jails(*state.store).at(0)) == "172.30.0.2/24 fd00:31::2/64");
}

TEST_CASE("a network goes with its last jail, not before", "[store][networks]") {
    MemoryState state;
    const auto made = lab(*state.store);
    const auto jail = insert(*state.store, on_lab("a"));
    const auto removed = [&] {
        return state.store->write([&](store::Writer& writer) { return writer.delete_network(made); });
    };
    const auto error = error_of(removed());
    CHECK(error.reason == "network_in_use");
    CHECK(error.detail.ends_with(": a"));
    value_of(state.store->write([&](store::Writer& writer) { return writer.delete_jail(jail.id); }));
    value_of(removed());
    CHECK(insert_refused(*state.store, on_lab("b")).reason == "network_not_found");
    CHECK(lab(*state.store).id != made.id);
}
