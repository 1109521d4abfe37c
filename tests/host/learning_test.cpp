#include "tests/host/learning.h"

#include <algorithm>

#include "core/kernel/names.h"
#include "tests/host/by_hand.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// A router speaks every few seconds, and what it says is looked at every 5 s.
constexpr auto kHeard = std::chrono::seconds(30);

}  // namespace

TEST_CASE("a jail with SLAAC shows the address that it holds, which is no drift and nobody's to publish", "[slaac]") {
    TestHost host;
    Daemon daemon(host);
    Client client(daemon);
    daemon.start();
    const auto made = daemon.request("POST", "/v1/networks", R"({"name": "lan", "ipv6": "2001:db8:5::/64"})");
    INFO(made.body);
    REQUIRE(made.status == 201);
    const json interface {
        {"network", "lan"}, { "ipv6", "slaac" }
    };
    client.create({{"name", "web"}, {"network", {{"interfaces", json::array({interface})}}}});
    CHECK(client.addresses("web").size() == 1);
    CHECK(client.has_condition("web", "AddressMissing"));
    const auto life = client.life("web");
    const auto before = client.last_event();

    Router router(host, kernel::bridge_name(client.instance(), NetworkId{2}));
    router.advertise();
    CHECK(eventually([&] { return client.addresses("web").size() == 2; }, kHeard));
    const auto learned = value_of(IpAddress::parse(client.addresses("web").at(1)));
    CHECK(value_of(Prefix::parse("2001:db8:5::/64")).contains(learned));
    CHECK_FALSE(client.has_condition("web", "AddressMissing"));
    CHECK(client.jail("web").at("status").at("interfaces").at(0).at("addresses").size() == 2);
    auto listener = value_of(Listener::open(router.name(), Router::address6));
    CHECK(connect_from(client.network_of("web"), Router::address6, listener.port()));
    CHECK(value_of(listener.accept()).to_string() == learned.to_string());

    const auto refused =
        daemon.request("PATCH", "/v1/jails/web", R"({"publish": [{"host_port": 8080, "jail_port": 80}]})");
    INFO(refused.body);
    CHECK(refused.status == 422);
    CHECK(json::parse(refused.body).at("code") == "learned_address");
    CHECK(json::parse(refused.body).at("field") == "/publish");

    daemon.kill();
    daemon.start();
    CHECK(client.life("web") == life);
    CHECK(client.addresses("web").size() == 2);
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(client.repairs(before, "jail", "web").empty());
    client.restart("web");
    CHECK(eventually([&] { return client.addresses("web").size() == 2; }, kHeard));
    CHECK(value_of(IpAddress::parse(client.addresses("web").at(1))) == learned);
}

TEST_CASE("a DHCP client of a jail outlives the daemon, is no drift, and is started again when it is killed",
          "[dhcp][drift]") {
    Leased test;
    const auto& client = test.client;
    CHECK(test.ipv4().empty());
    CHECK(client.has_condition("web", "AddressMissing"));
    Router router(test.host, test.bridge());
    router.lease(100, 110);
    CHECK(eventually([&] { return test.has(100, 110); }, kLeaseFollows));
    CHECK_FALSE(client.has_condition("web", "AddressMissing"));
    CHECK(test.reaches(router, Router::address4));
    const auto clients = dhcp_clients(client, "web");
    REQUIRE_FALSE(clients.empty());
    const auto life = client.life("web");
    const auto before = client.last_event();

    test.daemon.kill();
    CHECK(std::ranges::all_of(clients, [](pid_t one) { return lives(one); }));
    test.daemon.start();
    CHECK(test.has(100, 110));
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(dhcp_clients(client, "web") == clients);
    CHECK(client.repairs(before, "jail", "web").empty());

    kill_process(clients.front());
    const auto again = [&] {
        const auto now = dhcp_clients(client, "web");
        return now.size() == clients.size() && std::ranges::find(now, clients.front()) == now.end();
    };
    CHECK(eventually(again, kLeaseFollows));
    CHECK(eventually([&] { return test.has(100, 110) && test.reaches(router, Router::address4); }, kLeaseFollows));
    const auto mended = [&] {
        const auto steps = client.repairs(before, "jail", "web");
        return std::ranges::find(steps, "ensure_link vnet0") != steps.end();
    };
    CHECK(eventually(mended, kLeaseFollows));

    // Its interface is deleted by hand: it gets the address on the new one.
    by_hand::delete_link(test.host, client, "web");
    CHECK(eventually([&] { return test.has(100, 110) && dhcp_clients(client, "web").size() == clients.size(); },
                     kLeaseFollows));
    CHECK(eventually([&] { return test.has(100, 110) && test.reaches(router, Router::address4); }, kLeaseFollows));
    CHECK(client.life("web") == life);

    const auto last = dhcp_clients(client, "web");
    client.remove("web");
    CHECK(std::ranges::none_of(last, [](pid_t one) { return lives(one); }));
}

TEST_CASE("an interface with DHCP has no address of ours, and no port or policy that would need one", "[dhcp]") {
    const Leased test;
    const auto refused = [&](const json& patch, const std::string& field) {
        const auto reply = test.daemon.request("PATCH", "/v1/jails/web", patch.dump());
        INFO(reply.body);
        CHECK(reply.status == 422);
        CHECK(json::parse(reply.body).value("code", "") == "learned_address");
        CHECK(json::parse(reply.body).value("field", "") == field);
    };
    refused({{"publish", json::array({{{"host_port", 8080}, {"jail_port", 80}}})}}, "/publish");
    refused({{"firewall", {{"egress", {{"default", "deny"}}}}}}, "/firewall");
    refused({{"network",
              {{"interfaces",
                json::array({{{"network", "lan"}, {"ipv4", "dhcp"}, {"addresses", json::array({"192.0.2.9/24"})}}})}}}},
            "/network/interfaces/0/addresses/0");
    // IPv6 is as without it.
    CHECK(test.client.addresses("web").size() == 1);
    test.client.remove("web");
}

TEST_CASE("the name servers of a lease are the jail's, unless its spec has some", "[dhcp][names]") {
    const bool has = GENERATE(false, true);
    const Leased test(has ? json{{"nameservers", json::array({"198.51.100.53"})}} : json::object());
    Router router(test.host, test.bridge());
    router.lease(100, 110);
    CHECK(eventually([&] { return test.has(100, 110); }, kLeaseFollows));
    const auto servers = [&] { return test.client.sh("web", "grep nameserver /etc/resolv.conf"); };
    const auto expected = std::string("nameserver ") + (has ? "198.51.100.53" : Router::name_server);
    CHECK(eventually([&] { return servers() == expected; }, kLeaseFollows));
    test.client.remove("web");
}
