#include "tests/host/daemon.h"

#include <nlohmann/json.hpp>

#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;

namespace {

nlohmann::json get(const Daemon& daemon, const std::string& path) {
    const auto reply = daemon.request("GET", path);
    INFO(path << ": " << reply.body);
    REQUIRE(reply.status == 200);
    return nlohmann::json::parse(reply.body);
}

}  // namespace

TEST_CASE("a daemon keeps its instance and its network over a kill and a stop", "[daemon]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const auto instance = get(daemon, "/v1/host").at("instance");
    const auto networks = get(daemon, "/v1/networks");
    daemon.kill();
    CHECK_FALSE(http(daemon.socket(), "GET", "/healthz"));

    daemon.start();
    CHECK(get(daemon, "/v1/host").at("instance") == instance);
    CHECK(get(daemon, "/v1/networks") == networks);
    CHECK(daemon.stop() == 0);
    INFO(daemon.log());
    daemon.start();
    CHECK(get(daemon, "/v1/host").at("instance") == instance);
}
