#include <signal.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "core/kernel/linux/dhcp_clients.h"
#include "daemon/lease/lease.h"
#include "tests/host/eventually.h"
#include "tests/host/learning.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

namespace {

Result<lease::Lease> lease_of(const std::map<std::string, std::string>& variables) {
    return lease::read_lease([&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

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
    const auto named = value_of(
        lease_of({{"ip", "192.0.2.9"}, {"dns", "192.0.2.53 x 127.0.0.1 192.0.2.54"}, {"domain", "lan.example"}}));
    CHECK(named.nameservers ==
          std::vector{value_of(IpAddress::parse("192.0.2.53")), value_of(IpAddress::parse("192.0.2.54"))});
    CHECK(named.domain == "lan.example");
    for (const auto* domain : {"lan\noptions x", "a b", "", ".", "-x", "$(reboot)"}) {
        INFO(domain);
        CHECK(value_of(lease_of({{"ip", "192.0.2.9"}, {"domain", domain}})).domain.empty());
    }
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
    CHECK(test.reaches(router, Router::address4));
    CHECK(lines_with({"ip", "-n", client.network_of("web"), "route", "show", "default"},
                     std::string("via ") + Router::address4)
              .size() == 1);

    // It has what it needs for that, and the jail sees nothing of it.
    const auto clients = dhcp_clients(client, "web");
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
    CHECK(test.reaches(router, Router::address4));
    CHECK(dhcp_clients(client, "web") == clients);

    client.change("web", {{"running", false}});
    CHECK(eventually([&] { return client.state("web") == "stopped"; }, kLeaseFollows));
    CHECK_FALSE(lives(clients.front()));
    CHECK(eventually([&] { return router.did("DHCPRELEASE"); }, kLeaseFollows));
    client.remove("web");
}

TEST_CASE("a DHCP client whose jail is killed while the daemon is away does not stay", "[dhcp]") {
    Leased test;
    const auto clients = dhcp_clients(test.client, "web");
    REQUIRE(clients.size() == 1);
    const auto life = test.client.life("web");
    test.daemon.kill();
    kill_process(static_cast<pid_t>(life.number));
    CHECK(lives(clients.front()));
    test.daemon.start();
    test.client.remove("web");
    CHECK_FALSE(lives(clients.front()));
}
