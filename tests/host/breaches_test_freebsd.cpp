#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/kernel/freebsd/devd_listener.h"
#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/devd_freebsd.h"
#include "tests/host/eventually.h"

using namespace jaild;
using namespace jaild::test;
using kernel::freebsd::DevdListener;
using nlohmann::json;

namespace {

std::vector<std::string> rctl_lines(const std::string& jail) {
    auto rules = lines_with({"rctl"}, "jail:" + jail + ":");
    std::ranges::sort(rules);
    return rules;
}

std::uint64_t breaches_of(const Client& client, const std::string& resource) {
    return client.jail("web").at("status").at("limit_breaches").value(resource, std::uint64_t{0});
}

/// What events limit.breached after that one say of a resource: how often in all.
std::uint64_t told_breaches(const Client& client, std::int64_t after, const std::string& resource) {
    std::uint64_t times = 0;
    for (const auto& event : client.get("/v1/events?follow=false&after=" + std::to_string(after)).at("items")) {
        if (event.at("type") != "limit.breached" || event.at("data").at("resource") != resource) continue;
        times += event.at("data").at("times").get<std::uint64_t>();
    }
    return times;
}

}  // namespace

TEST_CASE("a program that runs into a limit is seen, counted and told of, and no neighbour is", "[limits][racct]") {
    const Devd devd;
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "db"}, {"limits", {{"openfiles", 2000}}}});
    client.create({{"name", "web"}, {"limits", {{"openfiles", 1000}, {"memoryuse", "32M"}}}});
    CHECK(rctl_lines("web") ==
          std::vector<std::string>{"jail:web:memoryuse:deny=33554432", "jail:web:memoryuse:devctl=33554432",
                                   "jail:web:openfiles:deny=1000", "jail:web:openfiles:devctl=1000"});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    const auto before = client.last_event();

    // paste(1) opens them all at once.
    const Argv opens{"/bin/sh", "-c", "paste $(jot -b /etc/hosts 900) 2>&1 | tail -1"};
    CHECK_THAT(client.exec("web", opens).at("stdout").get<std::string>(), Catch::Contains("oo many open files"));
    CHECK(eventually([&] { return told_breaches(client, before, "openfiles") >= 1; }));
    CHECK(breaches_of(client, "openfiles") >= 1);
    CHECK(breaches_of(client, "memoryuse") == 0);

    // The kernel counts memory once in a second.
    const Argv uses{"/bin/sh", "-c", "(head -c 100000000 /dev/zero; sleep 5) | tail -c 99000000 >/dev/null"};
    CHECK(client.exec("web", uses).at("stdout") == "");
    CHECK(eventually([&] { return told_breaches(client, before, "memoryuse") >= 1; }, std::chrono::seconds(40)));
    CHECK(breaches_of(client, "memoryuse") >= 1);
    CHECK(client.jail("db").at("status").at("limit_breaches").empty());

    client.restart("web");
    CHECK(client.jail("web").at("status").at("limit_breaches").empty());
    client.remove("web");
    client.remove("db");
    CHECK(rctl_lines("web").empty());
}

TEST_CASE("a command that is killed for a limit is told of, although its jail ends with it", "[limits][racct]") {
    const Devd devd;
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const auto before = client.last_event();
    client.create({{"name", "web"},
                   {"limits", {{"cputime", {{"amount", 1}, {"action", "sigkill"}}}}},
                   {"command", {"/bin/sh", "-c", "while :; do :; done"}}});
    CHECK(rctl_lines("web") == std::vector<std::string>{"jail:web:cputime:devctl=1", "jail:web:cputime:sigkill=1"});
    CHECK(eventually([&] { return told_breaches(client, before, "cputime") >= 1; }, std::chrono::seconds(30)));
    client.remove("web");
    CHECK(rctl_lines("web").empty());
}

TEST_CASE("the rules by which the kernel tells are changed with their limits, and mended as they are",
          "[limits][racct]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"limits", {{"vmemoryuse", "2G"}, {"maxproc", 50}, {"pcpu", 90}}}});
    // Neither has one: the kernel never tells of the one, and without end of the other.
    CHECK(rctl_lines("web") == std::vector<std::string>{"jail:web:maxproc:deny=50", "jail:web:pcpu:deny=90",
                                                        "jail:web:vmemoryuse:deny=2147483648",
                                                        "jail:web:vmemoryuse:devctl=2147483648"});
    client.change("web", {{"limits", {{"vmemoryuse", "1G"}, {"maxproc", nullptr}, {"pcpu", nullptr}}}});
    const std::vector<std::string> changed{"jail:web:vmemoryuse:deny=1073741824",
                                           "jail:web:vmemoryuse:devctl=1073741824"};
    CHECK(rctl_lines("web") == changed);
    const auto before = client.last_event();
    host.run_on_host({"rctl", "-r", "jail:web:vmemoryuse:devctl"});
    CHECK(client.get("/v1/jails/web/plan").at("plan").size() == 1);
    CHECK(eventually([&] { return rctl_lines("web") == changed; }, std::chrono::seconds(40)));
    CHECK(eventually([&] { return client.repairs(before, "jail", "web") == Argv{"ensure_limits web"}; }));
    client.change("web", {{"limits", {{"vmemoryuse", nullptr}}}});
    CHECK(rctl_lines("web").empty());
}

TEST_CASE("devd is listened to as soon as it is there, and again after it was away", "[devd]") {
    std::string directory = "/tmp/jaild-devd.XXXXXX";
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const auto path = std::filesystem::path(directory) / "pipe";
    std::atomic<int> lines = 0;
    {
        DevdListener listener(path);
        REQUIRE(listener.start([&](std::string_view line) { lines += line == "!system=RCTL one\n" ? 1 : 100; }));
        CHECK(eventually([&] { return !listener.listening() && listener.listening().error().sys == ENOENT; }));
        for (int life = 1; life <= 2; ++life) {
            std::optional<DevdSocket> devd(path);
            CHECK(eventually([&] { return listener.listening().has_value(); }));
            devd->pass_on("!system=RCTL one\n");
            CHECK(eventually([&] { return lines == life; }));
            devd.reset();
            CHECK(eventually([&] { return !listener.listening(); }));
        }
    }
    std::filesystem::remove_all(directory);
}

TEST_CASE("doctor says whether breaches of limits can be told of", "[racct][doctor]") {
    const auto check_of = [](const Client& client) {
        for (const auto& check : client.get("/v1/host").at("checks"))
            if (check.at("name") == "limit_breaches") return check;
        return json();
    };
    const Devd devd;
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    CHECK(eventually([&] { return check_of(Client(daemon)).at("state") == "ok"; }));
}
