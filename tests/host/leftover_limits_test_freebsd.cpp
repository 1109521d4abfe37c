#include "core/store/connection.h"
#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"

using namespace jaild;
using namespace jaild::test;

namespace {

std::vector<std::string> limits_on(const std::string& jail) {
    return lines_with({"rctl"}, "jail:" + jail + ":");
}

}  // namespace

TEST_CASE("limits of a jail that neither the kernel nor the database knows any more are removed, and nobody else's",
          "[limits][racct][residue]") {
    TestHost host;
    Undo undo;
    Daemon daemon(host);
    daemon.start();
    {
        const Client client(daemon);
        client.create({{"name", "lost"}, {"limits", {{"maxproc", 50}, {"openfiles", 5000}}}});
    }
    REQUIRE(daemon.stop() == 0);
    host.run_on_host({"jail", "-R", "lost"});
    host.run_on_host({"rctl", "-a", "jail:somebodys:maxproc:deny=50"});
    undo.add({"rctl", "-r", "jail:somebodys"});
    {
        const auto database =
            store::Connection::open(host.state_directory() / "jaild.db", store::Connection::Mode::write);
        REQUIRE(database);
        REQUIRE((*database)->script("PRAGMA foreign_keys = ON; DELETE FROM jails WHERE name = 'lost'"));
    }
    REQUIRE(limits_on("lost").size() == 3);
    daemon.start();
    CHECK(eventually([] { return limits_on("lost").empty(); }));
    CHECK(limits_on("somebodys") == std::vector<std::string>{"jail:somebodys:maxproc:deny=50"});
    const Client client(daemon);
    CHECK_THAT(client.get("/v1/events?follow=false&limit=1000").dump(), Catch::Contains("limits lost"));
}
