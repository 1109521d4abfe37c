#include <algorithm>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// Two of them, so that the one that is not waited for is seen as well.
json hanging(const std::string& seconds) {
    return {"/bin/sh", "-c", "echo begun; sleep " + seconds + " & sleep " + seconds};
}

std::vector<pid_t> sleeping(const std::string& seconds) {
    std::vector<pid_t> found;
    for (const pid_t process : all_processes())
        if (lives(process) && arguments_of(process).starts_with("sleep " + seconds)) found.push_back(process);
    return found;
}

}  // namespace

TEST_CASE("an exec.start that hangs is killed at its timeout, with all that it started", "[hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const json spec{{"name", "web"}, {"exec", {{"start", hanging("47110")}, {"timeout", 3}}}};
    REQUIRE(daemon.request("POST", "/v1/jails", spec.dump()).status == 202);
    std::vector<pid_t> first;
    REQUIRE(eventually([&] { return (first = sleeping("47110")).size() == 2; }));
    CHECK(eventually([&] { return std::ranges::none_of(first, [](pid_t one) { return lives(one); }); }));
    json status;
    const auto told = [&] {
        status = client.jail("web").at("status");
        return status.dump().contains("did not end within 3 s and was killed");
    };
    CHECK(eventually(told));
    INFO(status);
    CHECK(status.at("state") != "running");
    CHECK(client.log("web").contains("begun"));

    client.remove("web");
    CHECK(sleeping("47110").empty());
    CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
}

TEST_CASE("a jail whose exec.stop hangs is stopped at its timeout, and the reason is an event", "[hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"exec", {{"stop", hanging("47111")}, {"timeout", 3}}}});
    const auto before = client.last_event();
    CHECK(client.change("web", {{"running", false}}).at("status").at("state") == "stopped");
    CHECK(sleeping("47111").empty());
    CHECK(client.log("web").contains("begun"));
    const auto events = client.get("/v1/events?follow=false&after=" + std::to_string(before)).dump();
    CHECK_THAT(events, Catch::Contains("did not end within 3 s and was killed"));
}

TEST_CASE("what a jail's programs write is in a log that its root cannot reach", "[hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"},
                   {"exec", {{"start", {"/bin/echo", "marked-3d1f"}}}},
                   {"command", {"/bin/sh", "-c", "echo marked-9b20; exec sleep 1000"}}});
    CHECK(eventually([&] { return client.log("web").contains("marked-9b20"); }));
    CHECK(client.log("web").contains("marked-3d1f"));
    // All that its root can write to; the rest is the host's, and read-only.
    const auto found = [&client] {
        return client.sh("web", "grep -rl 'marked-[39]' /etc /home /root /tmp /usr/local /var 2>/dev/null; :");
    };
    CHECK(found() == "");
    CHECK(client.sh("web", "echo marked-3d1f >/tmp/file") == "");
    CHECK(found() == "/tmp/file");
}
