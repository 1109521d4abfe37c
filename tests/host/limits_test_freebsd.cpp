#include "tests/catch.h"
#include "tests/host/client.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

TEST_CASE("limits bind the first program of a jail, and go with it", "[limits][racct]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const auto rules = [] { return lines_with({"rctl"}, "jail:web:"); };
    client.create({{"name", "web"},
                   {"limits", {{"maxproc", 5}}},
                   {"exec", {{"start", {"/bin/sh", "-c", "(for i in 1 2 3 4 5 6 7; do sleep 1 & done); :"}}}}});
    CHECK(rules() == std::vector<std::string>{"jail:web:maxproc:deny=5"});
    CHECK_THAT(client.log("web"), Catch::Contains("Cannot fork"));
    client.remove("web");
    CHECK(rules().empty());
}

TEST_CASE("a jail runs on its processors only, from its first program on", "[limits][cpuset]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const std::string allowed = "cpuset -g -p $$";
    client.create({{"name", "free"}});
    // Of the first line; the next one is about memory.
    const auto mask = [](const std::string& text) {
        const auto at = text.find("mask:");
        return text.substr(at, text.find('\n') - at);
    };
    const auto all = mask(client.sh("free", allowed));
    client.create({{"name", "web"}, {"cpuset", "0"}, {"exec", {{"start", {"/bin/sh", "-c", allowed}}}}});
    CHECK_THAT(client.log("web"), Catch::Contains("mask: 0") && !Catch::Contains(","));
    CHECK(mask(client.sh("web", allowed)) == "mask: 0");
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    client.change("web", {{"cpuset", ""}});
    CHECK(mask(client.sh("web", allowed)) == all);
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(daemon.request("PATCH", "/v1/jails/web", R"({"cpuset": "1023"})").status == 422);
}
