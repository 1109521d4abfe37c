#include "tests/host/client.h"
#include "tests/host/lan.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

TEST_CASE("a jail's firewall is refused on a bridge of the host's, whose members the packet filter does not see",
          "[networks][bridge][policy]") {
    TestHost host;
    Lan lan(host);
    lan.make_bridge();
    Daemon daemon(host);
    daemon.start();
    const json lab{{"name", "lab"}, {"bridge", Lan::bridge}};
    REQUIRE(daemon.request("POST", "/v1/networks", lab.dump()).status == 201);
    json web{{"name", "web"},
             {"network", {{"interfaces", {{{"network", "lab"}}}}}},
             {"firewall", {{"ingress", {{"rules", json::array()}}}}}};
    const auto refused = daemon.request("POST", "/v1/jails", web.dump());
    INFO(refused.body);
    CHECK(refused.status == 422);
    CHECK(json::parse(refused.body).at("code") == "firewall_not_enforceable");
    CHECK(json::parse(refused.body).at("field") == "/firewall");

    // Neither does one come there later.
    const Client client(daemon);
    web["network"]["interfaces"][0]["network"] = "default";
    client.create(web);
    const auto moved = daemon.request("PATCH", "/v1/jails/web", R"({"network": {"interfaces": [{"network": "lab"}]}})");
    INFO(moved.body);
    CHECK(moved.status == 422);
}
