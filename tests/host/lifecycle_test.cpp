#include <set>
#include <thread>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

std::string hostname_in(const Client& client, const std::string& name) {
    return client.sh(name, "uname -n");
}

bool reaches(const std::string& network, const std::string& address, const Listener& there) {
    return connect_from(network, address, there.port()).has_value();
}

/// Names of interfaces, one on a line.
constexpr const char* kInterfaces =
    "[ -r /proc/net/dev ] && tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' || ifconfig -l | tr ' ' '\\n'";

}  // namespace

TEST_CASE("a jail goes through its whole life, and nothing of it is left", "[lifecycle]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);

    CHECK(client.create({{"name", "web"}}).at("status").at("state") == "running");
    CHECK(client.sh("web", "echo $((6 * 7))") == "42");
    CHECK(client.exec("web", {"/bin/sh", "-c", "exit 3"}).at("exit_code") == 3);
    CHECK(client.sh("web", "echo kept > /root/file; cat /root/file") == "kept");
    CHECK(hostname_in(client, "web") == "web");

    const auto first = client.life("web");
    CHECK(client.change("web", {{"running", false}}).at("status").at("state") == "stopped");
    CHECK_FALSE(lives(first));
    CHECK(client.change("web", {{"running", true}}).at("status").at("state") == "running");
    CHECK(client.sh("web", "cat /root/file") == "kept");

    const auto second = client.life("web");
    client.restart("web");
    CHECK(client.life("web") != second);
    CHECK_FALSE(lives(second));

    const auto third = client.life("web");
    client.change("web", {{"hostname", "shop"}});
    CHECK(hostname_in(client, "web") == "shop");
    CHECK(client.life("web") == third);
    client.change("web", {{"exec", {{"env", {{"COLOUR", "blue"}}}}}});
    CHECK(client.has_condition("web", "RestartRequired"));
    CHECK(client.life("web") == third);
    client.restart("web");
    CHECK_FALSE(client.has_condition("web", "RestartRequired"));
    CHECK(client.sh("web", "echo $COLOUR") == "blue");

    client.remove("web");
    CHECK(daemon.request("GET", "/v1/jails/web").status == 404);
    CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
    std::string left;
    // The network goes with its last jail, at the latest in the slow sweep.
    eventually([&] { return (left = leftovers_beside(host, daemon)).empty(); }, std::chrono::seconds(40));
    CHECK(left == "");
}

TEST_CASE("jails reach each other and the outside, one without a network reaches nobody", "[lifecycle][nat]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}});
    client.create({{"name", "db"}});
    client.create({{"name", "hermit"}, {"network", {{"mode", "none"}}}});

    for (const auto& address : client.addresses("db")) {
        INFO(address);
        auto listener = value_of(Listener::open(client.network_of("db"), address));
        CHECK(reaches(client.network_of("web"), address, listener));
    }
    const std::vector<std::array<const char*, 2>> ways{{Cable::outside4, Cable::host4},
                                                       {Cable::outside6, Cable::host6}};
    for (const auto& [there, seen] : ways) {
        INFO(there);
        auto listener = value_of(Listener::open(host.outside_name(), there));
        CHECK(reaches(client.network_of("web"), there, listener));
        CHECK(value_of(listener.accept()) == value_of(IpAddress::parse(seen)));
    }
    CHECK(client.addresses("hermit").empty());
    CHECK_THAT(client.sh("hermit", kInterfaces), Catch::Equals("lo") || Catch::Equals("lo0"));
}

TEST_CASE("jails run on when the daemon is stopped", "[lifecycle]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"command", {"/bin/sleep", "1000"}}});
    const auto web = client.life("web");
    const auto command = client.command_pid("web");

    CHECK(daemon.stop() == 0);
    CHECK(lives(web));
    CHECK(lives(command));
    daemon.start();
    CHECK(client.life("web") == web);
    CHECK(client.command_pid("web") == command);
    CHECK(client.sh("web", "echo here") == "here");
}

TEST_CASE("sixteen jails at once", "[lifecycle]") {
    constexpr int kJails = 16;
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    // Catch2's checks are for one thread: the others only note what they were answered.
    const auto at_once = [&](const std::string& method, const auto& request) {
        std::vector<int> statuses(kJails);
        std::vector<std::thread> threads;
        for (std::size_t one = 0; one < kJails; ++one)
            threads.emplace_back([&, one] {
                const auto [path, body] = request("jail" + std::to_string(one));
                const auto reply =
                    http(daemon.socket(), method, path, body, "Prefer: wait=120\r\n", std::chrono::seconds(150));
                statuses[one] = reply ? reply->status : 0;
            });
        for (auto& thread : threads) thread.join();
        return statuses;
    };

    using Request = std::pair<std::string, std::string>;
    CHECK(at_once("POST", [](const std::string& name) {
              return Request("/v1/jails", json{{"name", name}}.dump());
          }) == std::vector(kJails, 201));
    std::set<std::string> addresses;
    const auto all = client.get("/v1/jails?limit=100").at("items");
    CHECK(all.size() == kJails);
    for (const auto& jail : all) {
        CHECK(jail.at("status").at("state") == "running");
        for (const std::string address : jail.at("status").at("addresses")) addresses.insert(address);
    }
    CHECK(addresses.size() == 2 * kJails);
    CHECK(at_once("DELETE", [](const std::string& name) { return Request("/v1/jails/" + name + "?force=true", ""); }) ==
          std::vector(kJails, 204));
    CHECK(client.get("/v1/jails").at("items").empty());
    CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
}
