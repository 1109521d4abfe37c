#include "tests/unit/reconcile/toy.h"

using namespace jaild;
using namespace jaild::reconcile_test;

namespace {

DesiredNetwork used() {
    return {.network = default_network(), .in_use = true};
}

DesiredNetwork unused() {
    return {.network = default_network(), .in_use = false};
}

ObservedNetwork nothing() {
    ObservedNetwork observed;
    observed.firewall = true;
    return observed;
}

ObservedNetwork whole() {
    const auto network = default_network();
    auto observed = nothing();
    observed.bridge = kernel::ObservedBridge{
        .network = network.id, .up = true, .addresses = network.bridge_addresses(), .mtu = network.mtu};
    observed.forwarding4 = observed.forwarding6 = true;
    observed.rules = kernel::ObservedRules{.network = network.id, .complete = true};
    return observed;
}

Steps steps(const DesiredNetwork& desired, const ObservedNetwork& observed) {
    return texts(plan_network(desired, observed));
}

}  // namespace

TEST_CASE("a network in use is brought up, its bridge first", "[plan][network]") {
    CHECK(steps(used(), nothing()) ==
          Steps{"ensure_bridge default", "enable_forwarding ipv4", "enable_forwarding ipv6", "apply_rules default"});
    CHECK(steps(used(), whole()).empty());
}

TEST_CASE("each thing that is taken from a network comes back alone", "[plan][network]") {
    auto observed = whole();
    Steps expected{"ensure_bridge default"};
    SECTION("the bridge") {
        observed.bridge.reset();
    }
    SECTION("it is down") {
        observed.bridge->up = false;
    }
    SECTION("an address of it") {
        observed.bridge->addresses.pop_back();
    }
    SECTION("its MTU") {
        observed.bridge->mtu = 1280;
    }
    SECTION("all rules") {
        observed.rules.reset();
        expected = {"apply_rules default"};
    }
    SECTION("some rules") {
        observed.rules->complete = false;
        expected = {"apply_rules default"};
    }
    SECTION("forwarding of one family") {
        observed.forwarding6 = false;
        expected = {"enable_forwarding ipv6"};
    }
    CHECK(steps(used(), observed) == expected);
}

TEST_CASE("forwarding is not ours to raise where the admin says so", "[plan][network]") {
    auto desired = used();
    desired.manage_forwarding = false;
    CHECK(steps(desired, nothing()) == Steps{"ensure_bridge default", "apply_rules default"});
}

TEST_CASE("without a packet filter there is no step for it", "[plan][network]") {
    auto observed = nothing();
    observed.firewall = false;
    CHECK_FALSE(contains(steps(used(), observed), "apply_rules default"));
}

TEST_CASE("a network that nobody uses goes, and forwarding is never lowered", "[plan][network]") {
    CHECK(steps(unused(), whole()) == Steps{"remove_rules default", "remove_bridge default"});
    CHECK(steps(unused(), nothing()).empty());
}

TEST_CASE("a network with a member left stays whole", "[plan][network]") {
    auto observed = whole();
    observed.bridge->members = 1;
    CHECK(steps(unused(), observed).empty());
}

TEST_CASE("an uplink that is missing, another one, or one too many is drift of the bridge", "[plan][network]") {
    auto desired = used();
    desired.network.uplink = "em1";
    auto observed = whole();
    const Steps mended{"ensure_bridge default"};
    CHECK(steps(desired, observed) == mended);
    observed.bridge->uplink = "em1";
    CHECK(steps(desired, observed).empty());
    CHECK(steps(used(), observed) == mended);
    observed.bridge->uplink_whole = false;
    CHECK(steps(desired, observed) == mended);
    observed.bridge->uplink_whole = true;
    desired.network.vlan = 7;
    CHECK(steps(desired, observed) == mended);
    observed.bridge->vlan = 7;
    CHECK(steps(desired, observed).empty());
    desired.in_use = false;
    CHECK(steps(desired, observed) == Steps{"remove_rules default", "remove_bridge default"});
}

TEST_CASE("nothing is forwarded for a family that has its gateway elsewhere", "[plan][network]") {
    auto desired = used();
    desired.network.router4 = value_of(IpAddress::parse("10.213.0.254"));
    CHECK(steps(desired, nothing()) == Steps{"ensure_bridge default", "enable_forwarding ipv6", "apply_rules default"});
}

TEST_CASE("a bridge of the host's is not made, and has rules for NAT alone", "[plan][network]") {
    auto desired = used();
    desired.network.bridge = "br0";
    CHECK(steps(desired, nothing()) ==
          Steps{"enable_forwarding ipv4", "enable_forwarding ipv6", "apply_rules default"});
    desired.network.nat.on = false;
    CHECK(steps(desired, nothing()).empty());
    // What was loaded, and the bridge that it had before, go.
    CHECK(steps(desired, whole()) == Steps{"remove_rules default", "remove_bridge default"});
}
