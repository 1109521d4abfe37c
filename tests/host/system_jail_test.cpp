#include <signal.h>

#include <algorithm>
#include <chrono>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

/// Two daemons as rc(8) leaves them: orphans in sessions of their own, one of which ignores SIGTERM if asked to.
json boots(const std::string& seconds, const std::string& first = {}) {
    const auto away = "(" + first + "sleep " + seconds + "1 </dev/null >/dev/null 2>&1 &)";
    return {{"start", {"/bin/sh", "-c", away + "; (sleep " + seconds + "2 </dev/null >/dev/null 2>&1 &)"}},
            {"timeout", 5}};
}

std::vector<pid_t> daemons(const std::string& seconds) {
    std::vector<pid_t> found;
    for (const pid_t process : all_processes())
        if (lives(process) && arguments_of(process).starts_with("sleep " + seconds)) found.push_back(process);
    std::ranges::sort(found);
    return found;
}

std::vector<pid_t> both(const std::string& seconds, const std::vector<pid_t>& before = {}) {
    std::vector<pid_t> found;
    REQUIRE(eventually([&] {
        found = daemons(seconds);
        return found.size() == 2 &&
               std::ranges::none_of(found, [&](pid_t one) { return std::ranges::find(before, one) != before.end(); });
    }));
    return found;
}

}  // namespace

TEST_CASE("a system jail is made anew when its last process is gone, not before", "[system]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"exec", boots("4721")}, {"restart", "on-failure"}});
    const auto first = both("4721");
    const auto life = client.life("web");

    kill_process(first[0]);
    // Somebody's program is no part of it, and what one leaves behind is.
    CHECK(client.sh("web", "(sleep 47213 </dev/null >/dev/null 2>&1 &); echo here") == "here");
    kill_process(first[1]);
    REQUIRE(eventually([&] { return daemons("47213").size() == 1; }));
    CHECK(client.sh("web", "sleep 1; echo still here") == "still here");
    CHECK(client.life("web") == life);

    kill_process(daemons("47213").at(0));
    const auto second = both("4721", first);
    CHECK(eventually([&] { return client.jail("web").at("status").at("restarts") == 1; }));
    CHECK(eventually([&] { return client.state("web") == "running"; }));
    CHECK(client.jail("web").at("status").at("last_exit").at("reason") == "emptied");

    // What ends while no daemon looks is answered by the next one.
    daemon.kill();
    for (const auto one : second) kill_process(one);
    daemon.start();
    both("4721", second);
    CHECK(eventually([&] { return client.jail("web").at("status").at("restarts") == 2; }));
    client.remove("web");
    CHECK(daemons("4721").empty());
}

TEST_CASE("a system jail that nobody wants restarted stays as it is without a process", "[system]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"exec", boots("4722")}});
    const auto life = client.life("web");
    for (const auto one : both("4722")) kill_process(one);
    REQUIRE(eventually([&] { return !client.jail("web").at("status").at("last_exit").is_null(); }));
    CHECK(client.state("web") == "running");
    CHECK(client.life("web") == life);
    CHECK(client.sh("web", "echo here") == "here");

    // A policy answers an end that was there before it.
    client.change("web", {{"restart", "always"}});
    both("4722");
    client.remove("web");
}

TEST_CASE("what lives in a system jail gets SIGTERM at its stop, and SIGKILL when its time is up", "[system]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    auto exec = boots("4723");
    exec["start"][2] = exec["start"][2].get<std::string>() +
                       "; (trap 'echo told >/root/told; exit' TERM; while :; do sleep 0.1; done) </dev/null &";
    client.create({{"name", "web"}, {"exec", exec}});
    both("4723");
    client.change("web", {{"running", false}});
    CHECK(daemons("4723").empty());
    client.change("web", {{"running", true}});
    CHECK(client.sh("web", "cat /root/told") == "told");
    client.remove("web");

    client.create({{"name", "deaf"}, {"exec", boots("4724", "trap '' TERM; ")}});
    const auto deaf = both("4724");
    const auto begun = std::chrono::steady_clock::now();
    client.change("deaf", {{"running", false}});
    const auto took = std::chrono::steady_clock::now() - begun;
    CHECK(daemons("4724").empty());
    CHECK(took >= std::chrono::seconds(5));
    CHECK(took < std::chrono::seconds(20));
    client.remove("deaf");
}

TEST_CASE("no process outlives its jail, whatever it does", "[system]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const std::vector<std::pair<std::string, std::string>> kinds{
        {"ignores SIGTERM", "trap '' TERM HUP INT; sleep 47250 & sleep 47250; exec sleep 47250"},
        {"leaves a grandchild of its own session",
         "apart=setsid; command -v setsid >/dev/null || apart=daemon; ($apart sleep 47250 &); exec sleep 47250"},
        {"forks twice and closes its descriptors", "((exec <&- >&- 2>&-; sleep 47250 & sleep 47250) &); sleep 47250"},
        {"never waits for its children", "for i in 1 2 3 4 5 6 7 8; do sleep 0.1 & done; exec sleep 47250"},
        {"forks faster than it is killed",
         "trap '' TERM; f() { while :; do sleep 47250 & sleep 0.02; done; }; f & f & f"},
    };
    for (const auto& [what, script] : kinds) {
        INFO(what);
        client.create({{"name", "web"}, {"exec", {{"timeout", 2}}}, {"command", {"/bin/sh", "-c", script}}});
        REQUIRE(eventually([&] { return !daemons("47250").empty(); }));
        const auto begun = std::chrono::steady_clock::now();
        client.remove("web");
        CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(15));
        CHECK(daemons("47250").empty());
        CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
    }
}
