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

constexpr auto kBackSoon = std::chrono::seconds(10);

/// A host with a bridge of its own, and a network "lab" on it.
struct OnHostBridge {
    TestHost host;
    Lan lan{host};
    Daemon daemon{host};
    Client client{daemon};
    std::string before;

    explicit OnHostBridge(json fields = json::object()) {
        lan.make_bridge();
        before = lan.settings(Lan::bridge);
        daemon.start();
        fields.update({{"name", "lab"}, {"bridge", Lan::bridge}, {"reserved", {Lan::machine4, Lan::machine6}}});
        const auto made = daemon.request("POST", "/v1/networks", fields.dump());
        INFO(made.body);
        REQUIRE(made.status == 201);
    }
    void make(const std::string& jail) const {
        client.create({{"name", jail}, {"network", {{"interfaces", {{{"network", "lab"}}}}}}});
    }
    /// From one network to an address of another.
    [[nodiscard]] static bool reaches(const std::string& from, const std::string& network, const std::string& address) {
        const auto listener = value_of(Listener::open(network, address));
        return connect_from(from, address, listener.port()).has_value();
    }
};

}  // namespace

TEST_CASE("jails on a bridge of the host's reach its members and the host, and nothing of it is changed",
          "[networks][bridge]") {
    const OnHostBridge test;
    const auto spec = test.client.get("/v1/networks/lab").at("spec");
    CHECK(spec.at("ipv4") == Lan::subnet4);
    CHECK(spec.at("ipv6") == Lan::subnet6);
    CHECK(spec.at("nat") == false);
    test.make("web");
    test.make("db");
    const auto web = test.client.network_of("web");
    const auto addresses = test.client.addresses("web");
    for (const bool six : {false, true}) {
        INFO((six ? "IPv6" : "IPv4"));
        const auto own = addresses.at(six ? 1 : 0);
        CHECK(test.reaches(web, test.lan.machine(), six ? Lan::machine6 : Lan::machine4));
        CHECK(test.reaches(test.lan.machine(), web, own));
        CHECK(test.reaches(web, test.host.host_name(), six ? Lan::host6 : Lan::host4));
        CHECK(test.reaches(web, test.client.network_of("db"), test.client.addresses("db").at(six ? 1 : 0)));
    }
    CHECK(test.lan.settings(Lan::bridge) == test.before);

    test.client.remove("web");
    test.client.remove("db");
    CHECK(test.daemon.request("DELETE", "/v1/networks/lab").status == 204);
    CHECK(leftovers_beside(test.host, test.daemon).empty());
    CHECK(test.lan.settings(Lan::bridge) == test.before);
    CHECK(test.lan.bridge_of(Lan::cable) == Lan::bridge);
}

TEST_CASE("a jail that was taken from the host's bridge comes back to it, and goes out by NAT if that is asked for",
          "[networks][bridge][drift][nat]") {
    const OnHostBridge test(json{{"nat", true}});
    test.make("web");
    const auto web = test.client.network_of("web");
    const auto end = kernel::pair_name(test.client.instance(), {test.client.id("web")}, kernel::PairEnd::host);
    const bool six = GENERATE(false, true);
    auto outside = value_of(Listener::open(test.host.outside_name(), six ? Cable::outside6 : Cable::outside4));
    REQUIRE(connect_from(web, six ? Cable::outside6 : Cable::outside4, outside.port()));
    CHECK(value_of(outside.accept()).to_string() == (six ? Cable::host6 : Cable::host4));

    by_hand::leave_bridge(test.host, end, Lan::bridge);
    CHECK(eventually([&] { return test.lan.bridge_of(end) == Lan::bridge; }, kBackSoon));
    CHECK(test.reaches(web, test.lan.machine(), six ? Lan::machine6 : Lan::machine4));
    CHECK(test.lan.settings(Lan::bridge) == test.before);
}
