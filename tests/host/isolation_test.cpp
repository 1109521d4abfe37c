#include <algorithm>

#include "tests/host/by_hand.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// How long a packet that is dropped is waited for; the tests see that one that is not comes through.
constexpr std::chrono::milliseconds kKeptApart{400};
constexpr auto kIsolationFollows = std::chrono::seconds(10);
constexpr NetworkId kApartLab{2};

/// Jails "near" and "far" on a network "lab".
struct Apart {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    Family family = GENERATE(Family::ipv4, Family::ipv6);

    explicit Apart(bool isolated) {
        daemon.start();
        const json lab{{"name", "lab"}, {"isolated", isolated}};
        const auto made = daemon.request("POST", "/v1/networks", lab.dump());
        INFO(made.body);
        REQUIRE(made.status == 201);
        for (const auto* name : {"near", "far"})
            client.create({{"name", name}, {"network", {{"interfaces", {{{"network", "lab"}}}}}}});
    }
    void isolate(bool isolated) const {
        const auto reply = daemon.request("PATCH", "/v1/networks/lab", json{{"isolated", isolated}}.dump());
        INFO(reply.body);
        REQUIRE(reply.status == 200);
    }
    [[nodiscard]] std::string address(const std::string& jail) const {
        return client.addresses(jail).at(family == Family::ipv4 ? 0 : 1);
    }
    [[nodiscard]] std::string gateway() const {
        return client.get("/v1/networks/lab").at("status").at("gateways").at(family == Family::ipv4 ? 0 : 1);
    }
    [[nodiscard]] bool reaches(const std::string& from, const std::string& network, const std::string& to,
                               std::chrono::milliseconds patience) const {
        const auto listener = value_of(Listener::open(network, to));
        return connect_from(from, to, listener.port(), patience).has_value();
    }
    /// `near` reaches `far`.
    [[nodiscard]] bool together(std::chrono::milliseconds patience = kKeptApart) const {
        return reaches(client.network_of("near"), client.network_of("far"), address("far"), patience);
    }
};

}  // namespace

TEST_CASE("jails of an isolated network reach the gateway and what is behind it, and not each other",
          "[networks][isolated]") {
    const Apart test(true);
    CHECK_FALSE(test.together());
    const auto near = test.client.network_of("near");
    const auto* outside = test.family == Family::ipv4 ? Cable::outside4 : Cable::outside6;
    const auto patient = std::chrono::seconds(5);
    CHECK(test.reaches(near, test.host.outside_name(), outside, patient));
    CHECK(test.reaches(near, test.host.host_name(), test.gateway(), patient));
    CHECK(test.reaches(test.host.host_name(), test.client.network_of("far"), test.address("far"), patient));

    // The host is no detour, as it would be without isolation.
    by_hand::add_detour(test.client, "near", test.address("far"), test.gateway());
    CHECK_FALSE(test.together());
    test.isolate(false);
    CHECK(eventually([&] { return test.together(); }, kIsolationFollows));
}

TEST_CASE("running jails follow their network's isolation, which comes back when it is taken away",
          "[networks][isolated][drift]") {
    const Apart test(false);
    const auto life = test.client.life("near");
    CHECK(test.together(std::chrono::seconds(5)));
    test.isolate(true);
    CHECK(eventually([&] { return !test.together(); }, kIsolationFollows));

    const auto before = test.client.last_event();
    const auto repaired = [&](const std::string& jail) {
        const auto steps = test.client.repairs(before, "jail", jail);
        return std::ranges::find(steps, "ensure_link vnet0") != steps.end();
    };
    for (const auto* jail : {"near", "far"}) by_hand::set_isolated(test.host, test.client, jail, kApartLab, false);
    for (const auto* jail : {"near", "far"}) CHECK(eventually([&] { return repaired(jail); }, kIsolationFollows));
    CHECK_FALSE(test.together());

    test.isolate(false);
    CHECK(eventually([&] { return test.together(); }, kIsolationFollows));
    CHECK(test.client.life("near") == life);
    CHECK_FALSE(test.client.has_condition("near", "RestartRequired"));
}
