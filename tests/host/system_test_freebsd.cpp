#include <algorithm>

#include "tests/host/client.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

TEST_CASE("a thin jail boots /etc/rc, is a system to work in, and is shut down by rc.shutdown", "[system]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create(
        {{"name", "web"},
         {"exec",
          {{"start", {"/bin/sh", "/etc/rc"}}, {"stop", {"/bin/sh", "/etc/rc.shutdown", "jail"}}, {"timeout", 240}}}});
    CHECK_THAT(client.sh("web", "service cron status"), Catch::Contains("cron is running as pid"));
    CHECK_THAT(client.sh("web", "su -m nobody -c id"), Catch::Contains("uid=65534(nobody)"));
    CHECK(client.sh("web", "pw useradd x && id -un x") == "x");
    CHECK(client.sh("web", "hostname") == "web");
    CHECK(client.sh("web", "ps -axo jid= | sort -u | wc -l | tr -d ' '") == "1");
    CHECK_THAT(client.log("web"), Catch::Contains("Starting cron"));

    const auto before = client.last_event();
    client.change("web", {{"running", false}});
    CHECK_THAT(client.log("web"), Catch::Contains("Stopping cron"));
    const auto events = client.get("/v1/events?follow=false&after=" + std::to_string(before)).dump();
    CHECK_THAT(events, !Catch::Contains("exec_stop"));
    client.change("web", {{"running", true}});
    CHECK(client.sh("web", "id -un x") == "x");
}

TEST_CASE("doctor says of each thing that this host lacks how to mend it", "[doctor]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const auto done = daemon.ctl({"-o", "json", "doctor"});
    INFO(done.output << done.error_output);
    const auto checks = json::parse(done.output).at("checks");
    const auto find = [&](const std::string& name) {
        INFO(name);
        const auto found = std::ranges::find_if(checks, [&](const json& check) { return check.at("name") == name; });
        REQUIRE(found != checks.end());
        return *found;
    };
    for (const auto& check : checks) {
        INFO(check);
        CHECK_FALSE(check.at("detail").get<std::string>().empty());
        if (check.at("state") != "ok") CHECK_FALSE(check.at("remedy").get<std::string>().empty());
    }
    for (const char* name : {"vimage", "module_if_epair", "module_if_bridge", "module_nullfs", "state_directory"})
        CHECK(find(name).at("state") == "ok");
    for (const char* name :
         {"patch_level", "racct", "zfs", "pf", "ipv4_forwarding", "ipv6_forwarding", "bridge_pfil", "devd"})
        find(name);
}
