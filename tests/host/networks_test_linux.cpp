#include "core/kernel/names.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

/// Networks as users make them, with packets.
namespace {

/// How long a packet that is dropped is waited for; the tests see that one that is not comes through.
constexpr std::chrono::milliseconds kLost{400};
constexpr auto kFollows = std::chrono::seconds(10);

/// A host with a network "lab" that the test describes.
struct Lab {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};

    explicit Lab(const json& fields) {
        daemon.start();
        auto body = fields;
        body["name"] = "lab";
        const auto reply = daemon.request("POST", "/v1/networks", body.dump());
        INFO(reply.body);
        REQUIRE(reply.status == 201);
    }
    void change(const json& patch) const {
        const auto reply = daemon.request("PATCH", "/v1/networks/lab", patch.dump());
        INFO(reply.body);
        REQUIRE(reply.status == 200);
    }
    void make(const std::string& jail, const std::string& network = "lab") const {
        client.create({{"name", jail}, {"network", {{"interfaces", json::array({{{"network", network}}})}}}});
    }
    /// Who the outside sees when a jail connects to it; nothing when no answer finds its way.
    [[nodiscard]] std::string seen(const std::string& jail, const char* target,
                                   std::chrono::milliseconds patience = std::chrono::seconds(5)) const {
        auto listener = value_of(Listener::open(host.outside_name(), target));
        const auto connection = connect_from(client.network_of(jail), target, listener.port(), patience);
        return connection ? value_of(listener.accept()).to_string() : std::string();
    }
    [[nodiscard]] bool reaches(const std::string& from, const std::string& target) const {
        auto listener = value_of(Listener::open(client.network_of("far"), target));
        return connect_from(client.network_of(from), target, listener.port(), kLost).has_value();
    }
};

}  // namespace

TEST_CASE("a public IPv6 prefix goes out as it is, where IPv4 gets the host's address", "[networks][nat]") {
    const Lab lab(json{{"ipv4", "10.99.1.0/24"}, {"ipv6", "2001:db8:77::/64"}});
    lab.make("web");
    run_or_fail({"ip", "-n", lab.host.outside_name(), "-6", "route", "add", "2001:db8:77::/64", "via", Cable::host6});
    CHECK(lab.seen("web", Cable::outside6) == "2001:db8:77::2");
    CHECK(lab.seen("web", Cable::outside4) == Cable::host4);
}

TEST_CASE("NAT gives the address and takes the way that its network names", "[networks][nat]") {
    const Lab lab(json{{"nat", {{"address4", "198.51.100.7"}, {"address6", "2001:db8::7"}}}});
    lab.host.run_on_host({"ip", "address", "add", "198.51.100.7/24", "dev", Cable::interface});
    lab.host.run_on_host({"ip", "address", "add", "2001:db8::7/64", "dev", Cable::interface, "nodad"});
    lab.make("web");
    CHECK(lab.seen("web", Cable::outside4) == "198.51.100.7");
    CHECK(lab.seen("web", Cable::outside6) == "2001:db8::7");

    // What is changed is so for a jail that runs.
    const auto life = lab.client.life("web");
    lab.host.run_on_host({"ip", "address", "delete", "198.51.100.7/24", "dev", Cable::interface});
    lab.host.run_on_host({"ip", "address", "delete", "2001:db8::7/64", "dev", Cable::interface});
    lab.change({{"nat", {{"interface", Cable::interface}, {"address4", nullptr}, {"address6", nullptr}}}});
    CHECK(eventually([&] { return lab.seen("web", Cable::outside4, kLost) == Cable::host4; }, kFollows));
    CHECK(eventually([&] { return lab.seen("web", Cable::outside6, kLost) == Cable::host6; }, kFollows));
    lab.change({{"nat", {{"interface", "lo"}}}});
    CHECK(eventually([&] { return lab.seen("web", Cable::outside4, kLost).empty(); }, kFollows));
    CHECK(lab.seen("web", Cable::outside6, kLost).empty());
    CHECK(lab.client.life("web") == life);
}

TEST_CASE("two networks are two bridges, whose jails do not reach each other", "[networks]") {
    const Lab lab(json::object());
    lab.make("far");
    lab.make("near");
    lab.make("elsewhere", "default");
    for (const auto& address : lab.client.addresses("far")) {
        INFO(address);
        CHECK(lab.reaches("near", address));
        CHECK_FALSE(lab.reaches("elsewhere", address));
    }
    CHECK(lab.seen("elsewhere", Cable::outside4) == Cable::host4);
    CHECK(lab.seen("near", Cable::outside4) == Cable::host4);

    // The last jail takes its network's bridge along, and no other.
    const auto bridge = [&](std::int64_t network) {
        const auto name = kernel::bridge_name(lab.client.instance(), NetworkId{network});
        return !lines_with(lab.host.on_host({"ip", "-oneline", "link"}), name + ":").empty();
    };
    CHECK((bridge(1) && bridge(2)));
    lab.client.remove("far");
    lab.client.remove("near");
    const auto reply = lab.daemon.request("DELETE", "/v1/networks/lab");
    CHECK(reply.status == 204);
    CHECK(eventually([&] { return !bridge(2); }, kFollows));
    CHECK(bridge(1));
}

TEST_CASE("the MTU of a network is that of its bridge and of the jails on it, while they run", "[networks]") {
    const Lab lab(json{{"mtu", 1400}});
    lab.make("web");
    const auto have = [&](const std::string& mtu) {
        const auto bridge = kernel::bridge_name(lab.client.instance(), NetworkId{2});
        const auto jail = lab.client.network_of("web");
        return !lines_with(lab.host.on_host({"ip", "-oneline", "link", "show", bridge}), mtu).empty() &&
               !lines_with({"ip", "-n", jail, "-oneline", "link", "show", "vnet0"}, mtu).empty();
    };
    CHECK(have(" mtu 1400 "));
    lab.change({{"mtu", 1300}});
    CHECK(eventually([&] { return have(" mtu 1300 "); }, kFollows));
}

TEST_CASE("a network of one family gives its jails no address and no way of the other", "[networks]") {
    const Lab lab(json{{"ipv6", nullptr}});
    lab.make("web");
    CHECK(lab.client.addresses("web").size() == 1);
    CHECK(lab.seen("web", Cable::outside4) == Cable::host4);
    CHECK(lab.seen("web", Cable::outside6, kLost).empty());
    // It gets the other one at its next start.
    lab.change({{"ipv6", "fd00:99::/64"}});
    CHECK(eventually([&] { return lab.client.has_condition("web", "RestartRequired"); }, kFollows));
    lab.client.restart("web");
    CHECK(lab.seen("web", Cable::outside6) == Cable::host6);
}
