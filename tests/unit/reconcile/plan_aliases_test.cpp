#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

model::InterfaceSpec at(const std::string& interface, std::initializer_list<const char*> addresses) {
    model::InterfaceSpec one{.network = {}, .interface = interface, .addresses = {}, .mac = {}, .name = {}};
    for (const auto* text : addresses) one.addresses.push_back(*Prefix::parse(text));
    return one;
}

/// web, on these addresses of the host.
Desired on_host(std::vector<model::InterfaceSpec> interfaces) {
    auto desired = wanted_web();
    desired.jail.spec.network = {
        .mode = model::NetworkMode::alias, .interfaces = std::move(interfaces), .nameservers = {}, .search = {}};
    desired.jail.interfaces.clear();
    desired.networks.clear();
    return desired;
}

const auto kEm0 = at("em0", {"192.0.2.10/32", "2001:db8::10/128"});

std::vector<IpAddress> list(std::initializer_list<const char*> addresses) {
    std::vector<IpAddress> all;
    for (const auto* text : addresses) all.push_back(*IpAddress::parse(text));
    return all;
}

Steps only_aliases(const Steps& steps) {
    Steps found;
    for (const auto& step : steps)
        if (step.contains("_alias") || step.contains("_jail")) found.push_back(step);
    return found;
}

}  // namespace

TEST_CASE("the host has a jail's addresses before the jail is made, and until it is gone", "[plan][alias]") {
    auto desired = on_host({kEm0});
    Toy toy;
    CHECK(only_aliases(toy.converge(desired)) ==
          Steps{"ensure_alias em0 192.0.2.10/32", "ensure_alias em0 2001:db8::10/128", "create_jail web"});
    CHECK(plan(desired, toy.observed).empty());
    desired.jail.spec.running = false;
    CHECK(only_aliases(toy.converge(desired)) ==
          Steps{"remove_jail web", "remove_alias em0 192.0.2.10/32", "remove_alias em0 2001:db8::10/128"});
}

TEST_CASE("other addresses come before the running jail is told, and go after that", "[plan][alias]") {
    auto toy = Toy::running(on_host({kEm0}));
    const auto other = changed(on_host({kEm0}), [](model::JailSpec& spec) {
        spec.network.interfaces = {at("em0", {"2001:db8::10/128"}), at("lo1", {"192.0.2.11/32"})};
    });
    CHECK(toy.converge(other) ==
          Steps{"ensure_alias lo1 192.0.2.11/32", "update_jail web", "remove_alias em0 192.0.2.10/32", "record_done"});
    CHECK(toy.observed.jail->parameters.at("ip4.addr") == model::ParameterValue(list({"192.0.2.11"})));
    CHECK(effective(other.jail, toy.observed).waiting.empty());
}

TEST_CASE("an address that moves to another interface, or gets another length, leaves its place first",
          "[plan][alias]") {
    auto toy = Toy::running(on_host({kEm0}));
    const auto other = changed(on_host({kEm0}), [](model::JailSpec& spec) {
        spec.network.interfaces = {at("em0", {"192.0.2.10/24"}), at("lo1", {"2001:db8::10/128"})};
    });
    CHECK(toy.converge(other) == Steps{"remove_alias em0 192.0.2.10/32", "remove_alias em0 2001:db8::10/128",
                                       "ensure_alias em0 192.0.2.10/24", "ensure_alias lo1 2001:db8::10/128",
                                       "record_done"});
}

TEST_CASE("an address that is gone from its interface, or that the jail was told off, is drift", "[plan][alias]") {
    const auto desired = on_host({kEm0});
    auto toy = Toy::running(desired);
    toy.observed.aliases.front().present = false;
    CHECK(is_drift(desired, toy.observed));
    CHECK(toy.converge(desired) == Steps{"ensure_alias em0 192.0.2.10/32"});
    toy.observed.jail->parameters["ip6.addr"] = list({});
    CHECK(toy.converge(desired) == Steps{"update_jail web"});
}

TEST_CASE("a kernel is told the first address of the spec first, and the others sorted", "[plan][alias]") {
    const auto parameters = kernel_parameters(
        on_host({at("em0", {"192.0.2.30/32", "2001:db8::2/128", "192.0.2.20/32"}), at("lo1", {"127.0.1.1/32"})}).jail);
    CHECK(parameters.at("ip4.addr") == model::ParameterValue(list({"192.0.2.30", "127.0.1.1", "192.0.2.20"})));
    CHECK(parameters.at("ip6.addr") == model::ParameterValue(list({"2001:db8::2"})));

    auto mixed = on_host({at("em0", {"192.0.2.30/32"})});
    CHECK(kernel_parameters(mixed.jail).at("ip6.addr") == model::ParameterValue(list({})));
    mixed.jail.spec.parameters["ip6"] = std::string("inherit");
    CHECK_FALSE(kernel_parameters(mixed.jail).contains("ip6.addr"));
}

TEST_CASE("what a jail has of the host's network outranks a hint that was lost", "[plan][alias]") {
    auto toy = Toy::running(on_host({kEm0}));
    toy.observed.jail->vnet = false;
    toy.observed.applied = {};
    // Its own row, and one that asks for another network since.
    CHECK(effective(on_host({kEm0}).jail, toy.observed).waiting.empty());
    const auto held = effective(wanted_web().jail, toy.observed);
    CHECK(held.jail.spec.network.mode == model::NetworkMode::alias);
    CHECK(held.jail.spec.network.interfaces == std::vector{kEm0});
    CHECK(held.waiting == Steps{"/network/interfaces", "/network/mode"});
    toy.observed.aliases.clear();
    CHECK(effective(wanted_web().jail, toy.observed).jail.spec.network.mode == model::NetworkMode::inherit);
    toy.observed.jail->vnet = true;
    CHECK(effective(on_host({kEm0}).jail, toy.observed).jail.spec.network.mode == model::NetworkMode::none);
}
