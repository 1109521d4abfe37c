#include <signal.h>

#include <sstream>
#include <thread>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// Counts without end; SIGTERM ends it with code 7.
const json kCounter{"/bin/sh", "-c", "trap 'exit 7' TERM; i=0; while :; do echo $i; i=$((i + 1)); sleep 0.01; done"};

/// How far the counter got, if each of its lines is there.
std::optional<int> counted(const std::string& log) {
    std::istringstream lines(log);
    int next = 0;
    for (std::string line; std::getline(lines, line); ++next)
        if (line != std::to_string(next)) return std::nullopt;
    return next;
}

/// More lines than now.
void wait_for_lines(const Client& client) {
    const auto before = client.log("web").size();
    REQUIRE(eventually([&] { return client.log("web").size() > before + 50; }));
}

}  // namespace

TEST_CASE("a killed daemon's successor finds every jail as it was", "[adoption]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"command", kCounter}});
    client.create({{"name", "db"}});
    const auto web = client.life("web");
    const auto db = client.life("db");
    const auto command = client.command_pid("web");
    const auto shim = client.shim("web");
    wait_for_lines(client);
    const auto before = client.last_event();

    for (int life = 0; life < 3; ++life) {
        daemon.kill();
        CHECK(lives(command));
        daemon.start();
        CHECK(client.life("web") == web);
        CHECK(client.life("db") == db);
        CHECK(client.command_pid("web") == command);
        CHECK(client.shim("web") == shim);
        wait_for_lines(client);
    }
    CHECK(counted(client.log("web")).value_or(0) > 50);
    CHECK(client.repairs(before, "jail", "web").empty());
    CHECK(client.sh("db", "echo here") == "here");
}

TEST_CASE("an exit code is kept while no daemon is there to take it", "[adoption]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"command", kCounter}});
    const auto command = client.command_pid("web");
    wait_for_lines(client);

    daemon.kill();
    REQUIRE(::kill(command, SIGTERM) == 0);
    REQUIRE(eventually([&] { return !lives(command); }));
    daemon.start();
    CHECK(eventually([&] { return !client.jail("web").at("status").at("last_exit").is_null(); }));
    const auto status = client.jail("web").at("status");
    INFO(status);
    CHECK(status.at("last_exit").value("exit_code", -1) == 7);
    CHECK(status.at("last_exit").value("reason", "") == "exited");
    CHECK(counted(client.log("web")).value_or(0) > 0);
}

TEST_CASE("a jail that a killed daemon was making is finished, or goes without a trace", "[adoption]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    for (int round = 0; round <= 20; ++round) {
        const auto delay = std::chrono::milliseconds(round * 10);
        INFO("killed after " << delay.count() << " ms");
        const json spec{{"name", "web"}, {"command", {"/bin/sleep", "1000"}}};
        REQUIRE(daemon.request("POST", "/v1/jails", spec.dump()).status == 202);
        // Not waiting for anything: this is the moment at which the daemon dies.
        std::this_thread::sleep_for(delay);
        daemon.kill();
        daemon.start();
        if (round % 2 == 0) {
            CHECK(eventually([&] { return client.state("web") == "running"; }, std::chrono::seconds(20)));
            CHECK(client.sh("web", "echo here") == "here");
            CHECK(client.jail("web").at("status").at("command_pid").is_number());
        }
        client.remove("web");
        CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
        std::string left;
        eventually([&] { return (left = leftovers_beside(host, daemon)).empty(); }, std::chrono::seconds(10));
        CHECK(left == "");
    }
}

TEST_CASE("a jail that a killed daemon was removing goes without a trace", "[adoption]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    for (int round = 0; round <= 6; ++round) {
        const auto delay = std::chrono::milliseconds(round * 15);
        INFO("killed after " << delay.count() << " ms");
        client.create({{"name", "web"}});
        REQUIRE(daemon.request("DELETE", "/v1/jails/web?force=true").status == 202);
        std::this_thread::sleep_for(delay);
        daemon.kill();
        daemon.start();
        CHECK(eventually([&] { return daemon.request("GET", "/v1/jails/web").status == 404; }));
        CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
    }
}
