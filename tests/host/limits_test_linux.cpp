#include <chrono>
#include <thread>

#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// After a look at the jail, which a change makes that changes nothing of it.
json looked_at(const Client& client, const std::string& name) {
    static int look = 0;
    return client.change(name, {{"labels", {{"look", std::to_string(++look)}}}}).at("status");
}

std::int64_t used_cpu(const Client& client, const std::string& name) {
    return client.get("/v1/jails/" + name + "/stats").at("cpu").at("usage_us").get<std::int64_t>();
}

json memory_limit(const Client& client) {
    const auto memory = client.get("/v1/jails/web/stats").at("memory");
    return memory.value("limit_bytes", json());
}

json counter() {
    return {"/bin/sh", "-c", "while :; do echo tick; sleep 0.05; done"};
}

}  // namespace

TEST_CASE("what uses more memory than its jail may is killed, and nobody else feels it", "[limits]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "db"}, {"command", counter()}});
    client.create({{"name", "web"}, {"limits", {{"memoryuse", "32M"}}}, {"command", counter()}});
    const auto neighbour = client.command_pid("db");
    CHECK(memory_limit(client) == 32 << 20);
    const auto before = client.last_event();

    // tail(1) keeps what it may have to write.
    const Argv hog{"/bin/sh", "-c", "head -c 300000000 /dev/zero | tail -c 299000000 | wc -c"};
    CHECK(client.exec("web", hog).at("stdout").get<std::string>().starts_with("0"));
    CHECK(client.exec("db", hog).at("stdout").get<std::string>().starts_with("299000000"));
    CHECK(client.command_pid("db") == neighbour);

    const auto status = looked_at(client, "web");
    INFO(status);
    CHECK(status.at("limit_breaches").at("memoryuse") >= 1);
    CHECK(looked_at(client, "db").at("limit_breaches").empty());
    const auto events = client.get("/v1/events?follow=false&after=" + std::to_string(before)).dump();
    CHECK_THAT(events, Catch::Contains("limit.breached"));

    client.change("web", {{"limits", {{"memoryuse", "64M"}}}});
    CHECK(memory_limit(client) == 64 << 20);
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    client.change("web", {{"limits", {{"memoryuse", nullptr}}}});
    CHECK(memory_limit(client).is_null());
    CHECK(client.exec("web", hog).at("stdout").get<std::string>().starts_with("299000000"));
}

TEST_CASE("a jail's first program is limited already, and forks no more than it may", "[limits]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const json forks{"/bin/sh", "-c", "(for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done); :"};
    client.create({{"name", "web"}, {"limits", {{"maxproc", 5}}}, {"exec", {{"start", forks}}}});
    CHECK_THAT(client.log("web"), Catch::Contains("fork"));
    CHECK(looked_at(client, "web").at("limit_breaches").at("maxproc") >= 1);
    client.create({{"name", "db"}, {"exec", {{"start", forks}}}});
    CHECK(client.log("db").empty());
    // What each jail has, and somebody's that happens to be the same.
    client.change("web", {{"limits", {{"maxproc", 2047}}}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
}

TEST_CASE("a jail gets no more of the processors than it may", "[limits]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const json busy{"/bin/sh", "-c", "while :; do :; done"};
    client.create({{"name", "web"}, {"limits", {{"pcpu", 10}}}, {"command", busy}});
    client.create({{"name", "db"}, {"command", busy}});
    const auto web = used_cpu(client, "web");
    const auto db = used_cpu(client, "db");
    const auto begun = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(3));
    const auto web_used = used_cpu(client, "web") - web;
    const auto db_used = used_cpu(client, "db") - db;
    const auto passed =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun).count();
    CHECK(web_used > 0);
    CHECK(web_used < passed / 5);
    CHECK(db_used > web_used);
}

TEST_CASE("a limit that somebody takes away comes back", "[limits]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"limits", {{"maxproc", 5}, {"memoryuse", "32M"}, {"pcpu", 50}}}});
    const auto group = "/jaild/" + client.instance().text() + "/" + std::to_string(client.id("web").value);
    const auto by_hand = [&](const std::string& line) { return run({"/bin/sh", "-c", line}).value().exit_code; };
    const auto unlimited = "for f in /sys/fs/cgroup" + group + "/pids.max /sys/fs/cgroup/pids" + group +
                           "/pids.max; do [ ! -f $f ] || echo max >$f; done";
    REQUIRE(by_hand(unlimited) == 0);
    CHECK(client.get("/v1/jails/web/plan").at("plan") == json{"ensure_limits web"});
    CHECK(eventually([&] { return client.get("/v1/jails/web/plan").at("plan").empty(); }, std::chrono::seconds(60)));
}

TEST_CASE("processors that somebody gives a jail are taken back", "[limits][cpuset]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const std::string allowed = "sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status";
    client.create({{"name", "free"}});
    const auto all = client.sh("free", allowed);
    client.create({{"name", "web"}, {"cpuset", "0"}});
    const auto group = "/jaild/" + client.instance().text() + "/" + std::to_string(client.id("web").value);
    const auto given = "for f in /sys/fs/cgroup" + group + "/cpuset.cpus /sys/fs/cgroup/cpuset" + group +
                       "/cpuset.cpus; do [ ! -f $f ] || echo " + all + " >$f; done";
    REQUIRE(run({"/bin/sh", "-c", given}).value().exit_code == 0);
    // With one processor there is nothing to give.
    if (all != "0") CHECK(client.get("/v1/jails/web/plan").at("plan") == json{"ensure_limits web"});
    CHECK(eventually([&] { return client.get("/v1/jails/web/plan").at("plan").empty(); }, std::chrono::seconds(60)));
    CHECK(client.sh("web", allowed) == "0");
    // By their names: what is asked for is what the kernel has.
    client.change("web", {{"cpuset", all}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
}

TEST_CASE("a jail runs on its processors only, from its first program on", "[limits][cpuset]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const std::string allowed = "sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status";
    client.create({{"name", "free"}});
    const auto all = client.sh("free", allowed);
    client.create({{"name", "web"}, {"cpuset", "0"}, {"exec", {{"start", {"/bin/sh", "-c", allowed}}}}});
    CHECK_THAT(client.log("web"), Catch::Contains("0") && !Catch::Contains("-"));
    CHECK(client.sh("web", allowed) == "0");
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    client.change("web", {{"cpuset", ""}});
    CHECK(client.sh("web", allowed) == all);
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    client.change("web", {{"cpuset", "0"}});
    CHECK(client.sh("web", allowed) == "0");
    const auto refused = daemon.request("PATCH", "/v1/jails/web", R"({"cpuset": "1023"})");
    CHECK(refused.status == 422);
    CHECK(json::parse(refused.body).at("code") == "no_such_cpu");
    CHECK(json::parse(refused.body).at("field") == "/cpuset");
}
