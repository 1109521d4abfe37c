#include "core/kernel/names.h"
#include "tests/host/by_hand.h"
#include "tests/host/eventually.h"
#include "tests/host/lan.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kUnanswered{400};
constexpr auto kUplinkFollows = std::chrono::seconds(10);
constexpr NetworkId kUplinkLab{2};

/// A host with a network "lab" that has a cable as its uplink.
struct Uplinked {
    TestHost host;
    Lan lan{host};
    Daemon daemon{host};
    Client client{daemon};
    std::string before = lan.settings(Lan::cable);

    explicit Uplinked(json fields) {
        daemon.start();
        fields.update({{"name", "lab"},
                       {"uplink", Lan::cable},
                       {"ipv4", Lan::subnet4},
                       {"ipv6", Lan::subnet6}});
        if (!fields.contains("gateway4")) fields["reserved"] = {Lan::machine4, Lan::machine6};
        const auto made = daemon.request("POST", "/v1/networks", fields.dump());
        INFO(made.body);
        REQUIRE(made.status == 201);
    }
    void make(const std::string& jail) const {
        client.create({{"name", jail}, {"network", {{"interfaces", {{{"network", "lab"}}}}}}});
    }
    void change(const json& patch) const {
        const auto reply = daemon.request("PATCH", "/v1/networks/lab", patch.dump());
        INFO(reply.body);
        REQUIRE(reply.status == 200);
    }
    [[nodiscard]] std::string bridge() const { return kernel::bridge_name(client.instance(), kUplinkLab); }
    /// From one network to an address of another.
    [[nodiscard]] static bool reaches(const std::string& from, const std::string& network, const std::string& address,
                                      std::chrono::milliseconds patience = std::chrono::seconds(5)) {
        const auto listener = value_of(Listener::open(network, address));
        return connect_from(from, address, listener.port(), patience).has_value();
    }
    /// The cable is the host's again, as it was.
    void expect_cable_back() const {
        CHECK(eventually([&] { return lan.bridge_of(Lan::cable).empty(); }, kUplinkFollows));
        CHECK(lan.settings(Lan::cable) == before);
    }
};

json behind_the_machine() {
    return {{"gateway4", Lan::machine4}, {"gateway6", Lan::machine6}, {"nat", false}};
}

}  // namespace

TEST_CASE("jails behind an uplink have its machines as neighbours and one of them as their gateway",
          "[networks][uplink]") {
    const Uplinked test(behind_the_machine());
    test.lan.add_address_beyond();
    test.make("web");
    const auto web = test.client.network_of("web");
    const auto addresses = test.client.addresses("web");
    for (const bool six : {false, true}) {
        INFO((six ? "IPv6" : "IPv4"));
        const auto* machine = six ? Lan::machine6 : Lan::machine4;
        const auto& own = addresses.at(six ? 1 : 0);
        CHECK(test.reaches(web, test.lan.machine(), machine));
        CHECK(test.reaches(test.lan.machine(), web, own));
        // An address that only the gateway knows.
        const auto* beyond = six ? Lan::beyond6 : Lan::beyond4;
        auto listener = value_of(Listener::open(test.lan.machine(), beyond));
        REQUIRE(connect_from(web, beyond, listener.port()));
        CHECK(value_of(listener.accept()).to_string() == own);
    }
    CHECK_FALSE(test.lan.settings(test.bridge()).contains("10.88.0."));
    CHECK_FALSE(test.lan.settings(test.bridge()).contains("fd88:"));

    test.client.remove("web");
    test.expect_cable_back();
}

TEST_CASE("this host is the gateway of its jails and of the machines on the uplink", "[networks][uplink]") {
    const Uplinked test(json::object());
    test.make("web");
    for (const bool six : {false, true}) {
        INFO((six ? "IPv6" : "IPv4"));
        CHECK(test.reaches(test.lan.machine(), test.host.host_name(), six ? Lan::host6 : Lan::host4));
        auto outside = value_of(Listener::open(test.host.outside_name(), six ? Cable::outside6 : Cable::outside4));
        REQUIRE(connect_from(test.client.network_of("web"), six ? Cable::outside6 : Cable::outside4, outside.port()));
        CHECK(value_of(outside.accept()).to_string() == (six ? Cable::host6 : Cable::host4));
    }
}

TEST_CASE("an uplink that is taken from its bridge comes back, and goes when it is no uplink any more",
          "[networks][uplink][drift]") {
    const Uplinked test(behind_the_machine());
    test.make("web");
    const auto life = test.client.life("web");
    by_hand::leave_bridge(test.host, Lan::cable, test.bridge());
    CHECK(eventually([&] { return test.lan.bridge_of(Lan::cable) == test.bridge(); }, kUplinkFollows));
    for (const auto* machine : {Lan::machine4, Lan::machine6})
        CHECK(test.reaches(test.client.network_of("web"), test.lan.machine(), machine));

    test.change({{"uplink", nullptr}});
    test.expect_cable_back();
    test.change({{"uplink", Lan::cable}});
    CHECK(eventually([&] { return test.lan.bridge_of(Lan::cable) == test.bridge(); }, kUplinkFollows));
    CHECK(test.client.life("web") == life);
}

TEST_CASE("jails that are kept apart all reach the uplink", "[networks][uplink][isolated]") {
    auto fields = behind_the_machine();
    fields["isolated"] = true;
    const Uplinked test(fields);
    test.make("near");
    test.make("far");
    const auto near = test.client.network_of("near");
    for (const bool six : {false, true}) {
        INFO((six ? "IPv6" : "IPv4"));
        CHECK(test.reaches(near, test.lan.machine(), six ? Lan::machine6 : Lan::machine4));
        const auto far = test.client.addresses("far").at(six ? 1 : 0);
        CHECK_FALSE(test.reaches(near, test.client.network_of("far"), far, kUnanswered));
        CHECK(test.reaches(test.lan.machine(), test.client.network_of("far"), far));
    }
}

TEST_CASE("a network that is removed gives its uplink back and leaves nothing", "[networks][uplink]") {
    Uplinked test(behind_the_machine());
    test.make("web");
    test.client.remove("web");
    CHECK(test.daemon.request("DELETE", "/v1/networks/lab").status == 204);
    test.expect_cable_back();
    CHECK(leftovers_beside(test.host, test.daemon).empty());
}

TEST_CASE("an interface by which the host has its own network is no uplink", "[networks][uplink]") {
    TestHost host;
    Lan lan(host);
    Daemon daemon(host);
    daemon.start();
    const auto refusal = [&](const json& fields) {
        auto body = fields;
        body["name"] = "lab";
        const auto reply = daemon.request("POST", "/v1/networks", body.dump());
        INFO(reply.body);
        const auto problem = json::parse(reply.body);
        return std::to_string(reply.status) + " " + problem.at("code").get<std::string>() + " " +
               problem.at("field").get<std::string>();
    };
    CHECK(refusal({{"uplink", Cable::interface}}) == "409 interface_in_use /uplink");
    CHECK(refusal({{"uplink", "nosuch0"}}) == "422 interface_not_found /uplink");
    CHECK(refusal({{"uplink", Lan::cable}, {"mtu", 1400}}) == "422 mtu_mismatch /mtu");
    lan.make_bridge();
    CHECK(refusal({{"uplink", Lan::cable}}) == "409 interface_in_use /uplink");
    CHECK(refusal({{"uplink", Lan::bridge}}) == "422 interface_unsuitable /uplink");
    CHECK(lan.bridge_of(Lan::cable) == Lan::bridge);
}

TEST_CASE("jails have the machines of a VLAN as neighbours, and the uplink stays the host's",
          "[networks][uplink][vlan]") {
    TestHost host;
    Lan lan(host);
    const auto before = lan.settings(Lan::cable);
    Daemon daemon(host);
    daemon.start();
    const bool known = lan.join_vlan();
    const json lab{{"name", "lab"},      {"uplink", Lan::cable}, {"vlan", Lan::vlan},
                   {"ipv4", Lan::vlan4}, {"ipv6", Lan::vlan6},   {"reserved", {Lan::tagged4, Lan::tagged6}},
                   {"nat", false}};
    const auto made = daemon.request("POST", "/v1/networks", lab.dump());
    INFO(made.body);
    if (!known) {
        CHECK(made.status == 422);
        CHECK(json::parse(made.body).at("code") == "unsupported_network_field");
        CHECK(json::parse(made.body).at("field") == "/vlan");
        return;
    }
    REQUIRE(made.status == 201);
    const Client client(daemon);
    client.create({{"name", "web"}, {"network", {{"interfaces", {{{"network", "lab"}}}}}}});
    const auto web = client.network_of("web");
    for (const bool six : {false, true}) {
        INFO((six ? "IPv6" : "IPv4"));
        CHECK(Uplinked::reaches(web, lan.machine(), six ? Lan::tagged6 : Lan::tagged4));
        CHECK(Uplinked::reaches(lan.machine(), web, client.addresses("web").at(six ? 1 : 0)));
    }
    CHECK(lan.bridge_of(Lan::cable).empty());
    client.remove("web");
    CHECK(daemon.request("DELETE", "/v1/networks/lab").status == 204);
    CHECK(eventually([&] { return leftovers_beside(host, daemon).empty(); }, kUplinkFollows));
    CHECK(lan.settings(Lan::cable) == before);
}
