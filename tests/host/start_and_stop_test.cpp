#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"

/// exec.start and exec.stop as a jail that boots has them: a script that leaves services behind, and one that ends
/// them.

using namespace jaild::test;
using nlohmann::json;

namespace {

/// A jail with the scripts /root/rc and /root/rc.shutdown, which its exec.start and exec.stop are from its next start
/// on.
void make_booting(const Client& client, const std::string& name, const std::string& start, const std::string& stop,
                  int timeout) {
    client.create({{"name", name}});
    CHECK(client.sh(name, "cat > /root/rc <<'EOF'\n" + start + "\nEOF\ncat > /root/rc.shutdown <<'EOF'\n" + stop +
                              "\nEOF") == "");
    client.change(
        name,
        {{"running", false},
         {"exec",
          {{"start", {"/bin/sh", "/root/rc"}}, {"stop", {"/bin/sh", "/root/rc.shutdown"}}, {"timeout", timeout}}}});
}

std::string ready_message(const Client& client, const std::string& name) {
    const auto found = client.jail(name);
    for (const auto& condition : found.at("status").at("conditions"))
        if (condition.at("type") == "Ready") return condition.at("message");
    return "";
}

}  // namespace

TEST_CASE("a jail boots by exec.start, its services run on, and exec.stop ends them", "[lifecycle][boot]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    // As daemon(8) would: it does not belong to the script any more when that ends.
    make_booting(client, "web",
                 "echo boot\n"
                 "(exec </dev/null >/dev/null 2>&1; sleep 1000 & echo $! > /var/run/service.pid)\n"
                 "cd / && exec sh -c 'kill -0 $(cat /var/run/service.pid) && echo up'",
                 "kill -0 $(cat /var/run/service.pid) && echo still up\n"
                 "kill $(cat /var/run/service.pid) && rm /var/run/service.pid && echo down",
                 60);

    CHECK(client.change("web", {{"running", true}}).at("status").at("state") == "running");
    CHECK_THAT(client.log("web"), Catch::EndsWith("boot\nup\n"));
    CHECK(client.sh("web", "kill -0 $(cat /var/run/service.pid)") == "");
    const auto first = client.life("web");

    // A daemon that starts anew boots nothing again.
    daemon.kill();
    daemon.start();
    CHECK(client.life("web") == first);
    CHECK_THAT(client.log("web"), Catch::EndsWith("boot\nup\n"));

    client.restart("web");
    CHECK_THAT(client.log("web"), Catch::EndsWith("boot\nup\nstill up\ndown\nboot\nup\n"));
    CHECK(client.change("web", {{"running", false}}).at("status").at("state") == "stopped");
    CHECK_THAT(client.log("web"), Catch::EndsWith("boot\nup\nstill up\ndown\n"));
}

TEST_CASE("an exec.start that does not end in time is killed, said, and tried again", "[lifecycle][boot]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    make_booting(client, "web", "echo try\n[ -e /root/good ] || sleep 1000\necho booted", "true", 1);

    const auto refused =
        daemon.request("PATCH", "/v1/jails/web", json{{"running", true}}.dump(), "Prefer: wait=60\r\n");
    INFO(refused.body);
    CHECK(refused.body.contains("did not end within 1 s and was killed"));
    const auto said = [&] { return ready_message(client, "web").contains("did not end within 1 s and was killed"); };
    CHECK(eventually(said, std::chrono::seconds(20)));
    // The jail is there to look into, without the program that hung.
    CHECK(client.sh("web", "ps ax 2>/dev/null | grep -c '[s]leep 1000' || true") == "0");
    CHECK(client.sh("web", "touch /root/good") == "");
    // Tries are up to a minute apart.
    CHECK(eventually([&] { return client.state("web") == "running"; }, std::chrono::minutes(3)));
    CHECK_THAT(client.log("web"), Catch::EndsWith("try\nbooted\n"));
}

TEST_CASE("an exec.stop that does not end in time costs its timeout, and the jail stops", "[lifecycle][boot]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    make_booting(client, "web", "true", "echo stopping; sleep 1000; echo never", 1);
    client.change("web", {{"running", true}});
    const auto life = client.life("web");

    CHECK(client.change("web", {{"running", false}}).at("status").at("state") == "stopped");
    CHECK_FALSE(lives(life));
    CHECK_THAT(client.log("web"), Catch::EndsWith("stopping\n"));
    const auto events = daemon.request("GET", "/v1/events?follow=false&limit=1000").body;
    CHECK(events.contains("step.failed"));
    CHECK(events.contains("did not end within 1 s and was killed"));
}
