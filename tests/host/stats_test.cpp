#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/host/net_probe.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// Jails that sleep, beside the one that each test is about.
struct Watched {
    TestHost host;
    Daemon daemon{host};
    Client client{daemon};

    Watched() {
        daemon.start();
        start("quiet", "exec sleep 1000");
    }
    void start(const std::string& name, const std::string& line) const {
        client.create({{"name", name}, {"command", {"/bin/sh", "-c", line}}});
    }
    /// A number of a jail's stats: "/cpu/usage_us".
    [[nodiscard]] std::int64_t number(const std::string& name, const char* pointer) const {
        const auto all = client.get("/v1/stats").at("items");
        for (const auto& one : all)
            if (one.at("name") == name) return one.at(json::json_pointer(pointer)).get<std::int64_t>();
        FAIL(name << " is not in /v1/stats");
        return 0;
    }
    [[nodiscard]] HttpReply kill(const std::string& name, const json& body) const {
        return daemon.request("POST", "/v1/jails/" + name + "/kill", body.dump());
    }
};

}  // namespace

TEST_CASE("processor time is the jail's that used it", "[stats]") {
    const Watched watched;
    const auto quiet = watched.number("quiet", "/cpu/usage_us");
    watched.start("busy", "while :; do :; done");
    constexpr std::int64_t kMuch = 300'000;
    REQUIRE(eventually([&] { return watched.number("busy", "/cpu/usage_us") > kMuch; }));
    CHECK(watched.number("quiet", "/cpu/usage_us") - quiet < kMuch / 3);
}

TEST_CASE("memory is the jail's that holds it", "[stats]") {
    const Watched watched;
    constexpr std::int64_t kMuch = 30'000'000;
    watched.start("busy", "x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 1000; echo $x");
    REQUIRE(eventually([&] { return watched.number("busy", "/memory/bytes") > kMuch; }));
    CHECK(watched.number("quiet", "/memory/bytes") < kMuch / 2);
    CHECK(watched.number("busy", "/processes/count") > 1);
    CHECK(watched.number("busy", "/uptime_seconds") < 60);
}

TEST_CASE("packets are counted as the jail sees them", "[stats]") {
    const Watched watched;
    watched.start("near", "exec sleep 1000");
    watched.start("far", "exec sleep 1000");
    const auto& client = watched.client;
    const auto address = client.addresses("far").at(0);
    auto listener = value_of(Listener::open(client.network_of("far"), address));
    const auto sent = watched.number("near", "/network/tx_packets");
    const auto received = watched.number("far", "/network/rx_packets");
    const auto others = watched.number("quiet", "/network/tx_packets");
    constexpr int kConnections = 20;
    for (int made = 0; made < kConnections; ++made) {
        REQUIRE(connect_from(client.network_of("near"), address, listener.port()));
        REQUIRE(listener.accept());
    }
    CHECK(watched.number("near", "/network/tx_packets") - sent >= kConnections);
    CHECK(watched.number("far", "/network/rx_packets") - received >= kConnections);
    CHECK(watched.number("quiet", "/network/tx_packets") - others < kConnections);
}

TEST_CASE("a signal reaches a jail's own processes and nobody else's", "[stats][kill]") {
    const Watched watched;
    const auto& client = watched.client;
    watched.start("other", "exec sleep 1000");
    const auto own = client.command_pid("quiet");
    for (const pid_t foreign : {client.command_pid("other"), client.shim("quiet"), watched.daemon.pid(), pid_t{1}}) {
        INFO(foreign);
        const auto reply = watched.kill("quiet", {{"signal", "KILL"}, {"pids", {own, foreign}}});
        CHECK(reply.status == 404);
        CHECK(json::parse(reply.body).at("code") == "process_not_found");
    }
    CHECK(client.command_pid("quiet") == own);
    const auto reply = watched.kill("quiet", {{"pids", {own}}});
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    CHECK(json::parse(reply.body).at("pids") == json::array({own}));
    CHECK(eventually([&] { return !client.jail("quiet").at("status").at("last_exit").is_null(); }));
    CHECK(client.state("quiet") == "running");
    CHECK(client.state("other") == "running");
    CHECK(
        client.get("/v1/jails/other/processes").at("items").dump().find(std::to_string(client.command_pid("other"))) !=
        std::string::npos);
}

TEST_CASE("a jail's processes are listed with their users and commands", "[stats][processes]") {
    const Watched watched;
    const auto& client = watched.client;
    const auto pid = client.command_pid("quiet");
    const auto all = client.get("/v1/jails/quiet/processes");
    for (const auto& one : all.at("items")) {
        if (one.at("pid") != pid) continue;
        CHECK(one.at("user") == "root");
        CHECK(one.at("command") == "sleep 1000");
        CHECK(one.at("state") == "sleeping");
        return;
    }
    FAIL("its command is not listed");
}
