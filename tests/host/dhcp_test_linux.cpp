#include <signal.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "core/kernel/linux/dhcp_clients.h"
#include "core/kernel/names.h"
#include "daemon/lease/lease.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/host/router_linux.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// A client asks every two seconds, with a pause of ten after five times; what it gets is looked at every 5 s.
constexpr auto kLeaseFollows = std::chrono::seconds(40);

Result<lease::Lease> lease_of(const std::map<std::string, std::string>& variables) {
    return lease::read_lease([&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

/// A host with a jail "web" that gets its IPv4 address by DHCP.
struct Leased {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};
    InstanceId instance = host.instance();

    Leased() {
        daemon.start();
        const auto made = daemon.request("POST", "/v1/networks", R"({"name": "lan", "ipv4": "192.0.2.0/24"})");
        INFO(made.body);
        REQUIRE(made.status == 201);
        const json interface {
            {"network", "lan"}, { "ipv4", "dhcp" }
        };
        client.create({{"name", "web"}, {"network", {{"interfaces", json::array({interface})}}}});
        instance = client.instance();
    }
    [[nodiscard]] std::string bridge() const { return kernel::bridge_name(instance, NetworkId{2}); }
    [[nodiscard]] std::vector<pid_t> clients() const {
        std::vector<pid_t> found;
        for (const pid_t process : all_processes())
            if (lives(process) && arguments_of(process).contains("/run/jaild-" + instance.text() + "/dhcp/"))
                found.push_back(process);
        return found;
    }
    [[nodiscard]] std::string ipv4() const {
        for (const auto& address : client.addresses("web"))
            if (address.find('.') != std::string::npos) return address;
        return {};
    }
    [[nodiscard]] bool has(int first, int last) const {
        const auto address = ipv4();
        constexpr std::string_view kNetwork = "192.0.2.";
        if (!address.starts_with(kNetwork)) return false;
        const int host_part = std::stoi(address.substr(kNetwork.size()));
        return host_part >= first && host_part <= last;
    }
    [[nodiscard]] bool reaches(const Router& router) const {
        auto listener = value_of(Listener::open(router.name(), Router::address4));
        if (!connect_from(client.network_of("web"), Router::address4, listener.port())) return false;
        return value_of(listener.accept()).to_string() == ipv4();
    }
};

/// A line of /proc/PID/status.
std::string process_status(pid_t process, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    return {};
}

}  // namespace

TEST_CASE("what a DHCP server says is taken as addresses, or not at all", "[dhcp]") {
    CHECK(value_of(lease_of({{"ip", "192.0.2.9"}, {"mask", "24"}, {"router", "192.0.2.1 192.0.2.2"}})) ==
          lease::Lease{.address = value_of(Prefix::parse("192.0.2.9/24")),
                       .router = value_of(IpAddress::parse("192.0.2.1"))});
    CHECK(value_of(lease_of({{"ip", "192.0.2.9"}})).address.length == 32);
    CHECK_FALSE(value_of(lease_of({{"ip", "192.0.2.9"}, {"mask", "24"}, {"router", "198.51.100.1"}})).router);
    CHECK(value_of(lease_of({{"ip", "192.0.2.9"}, {"mask", "24"}, {"router", "x; 192.0.2.2"}})).router->to_string() ==
          "192.0.2.2");
    CHECK_FALSE(lease_of({}));
    for (const auto* address : {"", "::1", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.9 up"}) {
        INFO(address);
        CHECK_FALSE(lease_of({{"ip", address}, {"mask", "24"}}));
    }
    for (const auto* mask : {"0", "33", "-1", "24; reboot"}) {
        INFO(mask);
        CHECK_FALSE(lease_of({{"ip", "192.0.2.9"}, {"mask", mask}}));
    }
}

TEST_CASE("a host without udhcpc says what to install", "[dhcp]") {
    const auto error = error_of(kernel::dhcp::program({"/nonexistent"}));
    CHECK(error.code == Errc::unsupported);
    CHECK(error.reason == "dhcp_client_missing");
    CHECK(error.remedy == "apt-get install udhcpc");
}

TEST_CASE("a jail gets its address from a DHCP server, follows it, and gives it back", "[dhcp]") {
    const Leased test;
    const auto& client = test.client;
    CHECK(test.ipv4().empty());
    CHECK(client.has_condition("web", "AddressMissing"));
    Router router(test.host, test.bridge());
    router.lease(100, 110);
    CHECK(eventually([&] { return test.has(100, 110); }, kLeaseFollows));
    CHECK_FALSE(client.has_condition("web", "AddressMissing"));
    CHECK(test.reaches(router));
    CHECK(lines_with({"ip", "-n", client.network_of("web"), "route", "show", "default"},
                     std::string("via ") + Router::address4)
              .size() == 1);

    // It has what it needs for that, and the jail sees nothing of it.
    const auto clients = test.clients();
    REQUIRE(clients.size() == 1);
    CHECK(process_status(clients.front(), "CapBnd") == "0000000000003400");
    CHECK(process_status(clients.front(), "CapEff") == "0000000000003400");
    CHECK(client.sh("web", "cat /proc/[0-9]*/comm | grep -c udhcpc || true") == "0");

    // The server gives out others by now, and the client asks it again, as it does by itself at half of the time. Asked
    // a second time it begins from the start.
    router.lease(200, 210);
    for (int asked = 0; asked < 2 && !test.has(200, 210); ++asked) {
        ::kill(clients.front(), SIGUSR1);
        (void)eventually([&] { return test.has(200, 210); }, kLeaseFollows);
    }
    CHECK(test.has(200, 210));
    CHECK(test.reaches(router));
    CHECK(test.clients() == clients);

    client.change("web", {{"running", false}});
    CHECK(eventually([&] { return client.state("web") == "stopped"; }, kLeaseFollows));
    CHECK(test.clients().empty());
    CHECK(eventually([&] { return router.did("DHCPRELEASE"); }, kLeaseFollows));
    client.remove("web");
}

TEST_CASE("a DHCP client outlives the daemon, and is started again when it is killed", "[dhcp][drift]") {
    Leased test;
    const auto& client = test.client;
    Router router(test.host, test.bridge());
    router.lease(100, 110);
    CHECK(eventually([&] { return test.has(100, 110); }, kLeaseFollows));
    const auto clients = test.clients();
    REQUIRE(clients.size() == 1);
    const auto life = client.life("web");
    const auto before = client.last_event();

    test.daemon.kill();
    CHECK(test.clients() == clients);
    test.daemon.start();
    CHECK(test.has(100, 110));
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(test.clients() == clients);
    CHECK(client.repairs(before, "jail", "web").empty());

    kill_process(clients.front());
    CHECK(eventually([&] { return test.clients().size() == 1; }, kLeaseFollows));
    CHECK(test.clients() != clients);
    CHECK(eventually([&] { return test.has(100, 110) && test.reaches(router); }, kLeaseFollows));
    const auto mended = [&] {
        const auto steps = client.repairs(before, "jail", "web");
        return std::ranges::find(steps, "ensure_link vnet0") != steps.end();
    };
    CHECK(eventually(mended, kLeaseFollows));

    // Its interface is deleted by hand: it gets the address on the new one.
    test.host.run_on_host(
        {"ip", "link", "delete", kernel::pair_name(test.instance, {client.id("web")}, kernel::PairEnd::host)});
    CHECK(eventually([&] { return test.has(100, 110) && test.clients().size() == 1; }, kLeaseFollows));
    CHECK(eventually([&] { return test.has(100, 110) && test.reaches(router); }, kLeaseFollows));
    CHECK(client.life("web") == life);

    // With the daemon away the jail is killed: nothing of it stays when the daemon is back and removes it.
    test.daemon.kill();
    kill_process(static_cast<pid_t>(life.number));
    test.daemon.start();
    client.remove("web");
    CHECK(test.clients().empty());
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
