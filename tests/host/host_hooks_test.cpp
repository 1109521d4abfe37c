#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"
#include "tests/temp_directory.h"

/// exec.prestart and the others, which run on the host.

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace {

json host_script(const std::string& text) {
    return {"/bin/sh", "-c", text};
}

/// Each says its name and leaves a line in a file of the host's.
json host_hook(const std::string& name, const std::filesystem::path& file, const std::string& more = ":") {
    return host_script("echo " + name + " >>" + file.string() + "; " + more);
}

json all_hooks(const std::filesystem::path& file) {
    json hooks;
    for (const auto* name : {"prestart", "created", "poststart", "prestop", "poststop"})
        hooks[name] = host_hook(name, file);
    return hooks;
}

std::vector<std::string> lines_in(const std::filesystem::path& file) {
    std::vector<std::string> lines;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

using Lines = std::vector<std::string>;

std::size_t sleeps_of(const std::string& seconds) {
    const auto all = all_processes();
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](pid_t process) { return lives(process) && arguments_of(process).starts_with("sleep " + seconds); }));
}

std::size_t count_of(const std::string& word, const std::string& text) {
    std::size_t count = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
    return count;
}

bool is_mounted_beneath(const std::filesystem::path& directory) {
    std::ifstream in("/proc/self/mounts");
    std::stringstream text;
    text << in.rdbuf();
    return text.str().contains(directory.string() + "/jails");
}

std::string events_after(const Client& client, std::int64_t event) {
    return client.get("/v1/events?follow=false&after=" + std::to_string(event)).dump();
}

}  // namespace

TEST_CASE("the host's hooks run in jail(8)'s order, around what runs in the jail", "[host_hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    json exec;
    for (const auto* name : {"prestart", "created", "start", "poststart", "prestop", "stop", "poststop"})
        exec[name] = {"/bin/echo", std::string("ran ") + name};
    client.create(
        {{"name", "web"}, {"exec", exec}, {"command", {"/bin/sh", "-c", "echo ran command; exec sleep 1000"}}});
    client.change("web", {{"running", false}});
    std::istringstream log(client.log("web"));
    Lines ran;
    for (std::string line; std::getline(log, line);)
        if (const auto at = line.find("ran "); at != std::string::npos) ran.push_back(line.substr(at + 4));
    // The command has its own pace.
    CHECK(std::erase(ran, "command") == 1);
    CHECK(ran == Lines{"prestart", "created", "start", "poststart", "prestop", "stop", "poststop"});
}

TEST_CASE("a hook knows its jail, finds its root mounted, and nothing of the jail's environment", "[host_hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const TempDirectory out;
    json exec{{"env", {{"LD_PRELOAD", "/tmp/evil.so"}, {"PATH", "/tmp"}, {"SECRET", "s"}}}};
    for (const auto* name : {"prestart", "created", "poststart", "prestop", "poststop"})
        exec[name] =
            host_script("env | sort >" + (out.path() / name).string() + "; ls $JAIL_ROOT/usr/bin | grep -c . >" +
                        (out.path() / name).string() + ".ls; id -u; pwd");
    client.create({{"name", "web"}, {"exec", exec}, {"command", {"/bin/sleep", "1000"}}});
    const auto life = client.jail("web").at("status");
    client.change("web", {{"running", false}});
    for (const auto* name : {"prestart", "created", "poststart", "prestop", "poststop"}) {
        INFO(name);
        auto lines = lines_in(out.path() / name);
        INFO(json(lines));
        const auto has = [&](const std::string& line) { return std::ranges::find(lines, line) != lines.end(); };
        const auto about = [&](const std::string& key) {
            return std::ranges::count_if(lines, [&](const std::string& line) { return line.starts_with(key + "="); });
        };
        CHECK(has("JAIL_NAME=web"));
        CHECK(about("JAIL_ROOT") == 1);
        CHECK(about("LD_PRELOAD") == 0);
        CHECK(about("SECRET") == 0);
        CHECK_FALSE(has("PATH=/tmp"));
        const bool there = std::string(name) != "prestart" && std::string(name) != "poststop";
        if (life.at("jid").is_number()) CHECK(has("JAIL_ID=" + life.at("jid").dump()) == there);
        if (life.at("pid").is_number()) CHECK(has("JAIL_PID=" + life.at("pid").dump()) == there);
        CHECK(about("JAIL_ID") + about("JAIL_PID") == (there ? 1 : 0));
        CHECK(lines_in(out.path() / (std::string(name) + ".ls")) != Lines{"0"});
    }
}

TEST_CASE("a hook of the start that fails undoes the start, with poststop, and says why", "[host_hooks]") {
    const auto* which = GENERATE("prestart", "created", "poststart");
    INFO(which);
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const TempDirectory out;
    const auto file = out.path() / "order";
    auto exec = all_hooks(file);
    exec[which] = host_hook(which, file, "echo this is why; test -e " + (out.path() / "good").string() + " || exit 7");
    const json spec{{"name", "web"}, {"exec", exec}, {"command", {"/bin/sleep", "1000"}}};
    REQUIRE(daemon.request("POST", "/v1/jails", spec.dump()).status == 202);
    json status;
    const auto told = [&] {
        status = client.jail("web").at("status");
        return status.dump().contains("ended with exit code 7") && status.dump().contains("this is why");
    };
    CHECK(eventually(told));
    INFO(status.dump());
    CHECK(status.at("state") == "failed");
    Lines first{"prestart", "created", "poststart"};
    first.resize(static_cast<std::size_t>(std::ranges::find(first, which) - first.begin()) + 1);
    first.emplace_back("poststop");
    auto ran = lines_in(file);
    REQUIRE(ran.size() >= first.size());
    ran.resize(first.size());
    CHECK(ran == first);
    CHECK(eventually([&] { return !is_mounted_beneath(host.state_directory()); }));

    std::ofstream(out.path() / "good") << "now";
    CHECK(eventually([&] { return client.state("web") == "running"; }, std::chrono::seconds(30)));
    client.remove("web");
    ran = lines_in(file);
    const Lines last{"prestart", "created", "poststart", "prestop", "poststop"};
    REQUIRE(ran.size() >= last.size());
    CHECK(Lines(ran.end() - static_cast<std::ptrdiff_t>(last.size()), ran.end()) == last);
    CHECK(std::ranges::count(ran, "prestart") == std::ranges::count(ran, "poststop"));
}

TEST_CASE("hooks that fail or hang are killed at their timeout and keep no jail from being stopped", "[host_hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const TempDirectory out;
    const auto file = out.path() / "order";
    json exec{{"timeout", 2}};
    exec["prestop"] = host_hook("prestop", file, "sleep 47210 & sleep 47210");
    exec["stop"] = host_script("exit 3");
    exec["poststop"] = host_hook("poststop", file, "sleep 47210 & sleep 47210");
    client.create({{"name", "web"}, {"exec", exec}, {"command", {"/bin/sleep", "1000"}}});
    const auto before = client.last_event();
    CHECK(client.change("web", {{"running", false}}).at("status").at("state") == "stopped");
    CHECK(lines_in(file) == Lines{"prestop", "poststop"});
    CHECK(sleeps_of("47210") == 0);
    CHECK_FALSE(is_mounted_beneath(host.state_directory()));
    const auto events = events_after(client, before);
    for (const auto* step : {"exec_prestop", "exec_stop", "exec_poststop"}) CHECK_THAT(events, Catch::Contains(step));
    CHECK_THAT(events, Catch::Contains("did not end within 2 s and was killed"));

    exec["poststop"] = {"/no/such/program"};
    client.change("web", {{"exec", exec}});
    client.change("web", {{"running", true}});
    client.remove("web");
    CHECK(std::filesystem::is_empty(host.state_directory() / "jails"));
}

TEST_CASE("a hook that outlives its daemon is waited for by the next one, and not run again", "[host_hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const TempDirectory out;
    const auto file = out.path() / "order";
    const auto waits = [&](const std::string& name) {
        const auto go = (out.path() / (name + ".go")).string();
        return host_hook(name, file,
                         "until test -e " + go + "; do sleep 0.1; done; echo " + name + " done >>" + file.string());
    };
    auto exec = all_hooks(file);
    for (const auto* name : {"prestart", "created", "poststart", "prestop", "poststop"}) exec[name] = waits(name);
    Lines wanted;
    std::size_t lives_of_daemon = 1;
    const auto killed_in = [&](const std::string& name) {
        INFO(name);
        wanted.push_back(name);
        REQUIRE(eventually([&] { return lines_in(file) == wanted; }));
        daemon.kill();
        daemon.launch();
        ++lives_of_daemon;
        REQUIRE(eventually([&] { return count_of("serves", daemon.log()) == lives_of_daemon; }));
        // What ends while no daemon is there is known of the start, and run once more of the stop.
        const bool of_stop = name == "prestop" || name == "poststop";
        if (of_stop)
            REQUIRE(eventually([&] { return client.has_condition("web", "StepTakesLong"); }, std::chrono::seconds(40)));
        CHECK(lines_in(file) == wanted);
        std::ofstream(out.path() / (name + ".go")) << "now";
        wanted.push_back(name + " done");
    };
    const json spec{{"name", "web"}, {"exec", exec}, {"command", {"/bin/sleep", "1000"}}};
    REQUIRE(daemon.request("POST", "/v1/jails", spec.dump()).status == 202);
    for (const auto* name : {"prestart", "created", "poststart"}) killed_in(name);
    REQUIRE(eventually([&] { return client.state("web") == "running"; }));
    REQUIRE(daemon.request("PATCH", "/v1/jails/web", R"({"running": false})").status == 202);
    for (const auto* name : {"prestop", "poststop"}) killed_in(name);
    CHECK(eventually([&] { return client.state("web") == "stopped"; }));
    CHECK(lines_in(file) == wanted);
}

TEST_CASE("poststop runs after its jail and its shim were killed while no daemon was there", "[host_hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const TempDirectory out;
    const auto file = out.path() / "order";
    client.create({{"name", "web"}, {"exec", all_hooks(file)}, {"command", {"/bin/sleep", "1000"}}});
    const auto shim = client.shim("web");
    daemon.kill();
    REQUIRE(::kill(shim, SIGKILL) == 0);
    daemon.start();
    CHECK(eventually([&] { return client.state("web") == "running" && lines_in(file).size() == 7; }));
    CHECK(lines_in(file) == Lines{"prestart", "created", "poststart", "poststop", "prestart", "created", "poststart"});
}

TEST_CASE("more hooks that hang than there are workers keep no other jail waiting for long", "[host_hooks]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    constexpr int kHanging = 12;  // of 8 workers
    for (int n = 0; n < kHanging; ++n) {
        const json spec{{"name", "hangs" + std::to_string(n)},
                        {"network", {{"mode", "none"}}},
                        {"exec", {{"prestart", {"/bin/sleep", "47220"}}, {"timeout", 3600}}}};
        REQUIRE(daemon.request("POST", "/v1/jails", spec.dump()).status == 202);
    }
    const json other{{"name", "other"}, {"network", {{"mode", "none"}}}, {"command", {"/bin/sleep", "1000"}}};
    const auto begun = std::chrono::steady_clock::now();
    REQUIRE(daemon.request("POST", "/v1/jails", other.dump()).status == 202);
    CHECK(eventually([&] { return client.state("other") == "running"; }, std::chrono::seconds(25)));
    WARN("the other jail ran after " << std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count()
                                     << " s");
    json condition;
    const auto told = [&] {
        const auto status = client.jail("hangs0").at("status");
        for (const auto& one : status.at("conditions"))
            if (one.at("type") == "StepTakesLong") condition = one;
        return !condition.is_null();
    };
    CHECK(eventually(told, std::chrono::seconds(30)));
    INFO(condition.dump());
    CHECK_THAT(condition.at("message").get<std::string>(), Catch::StartsWith("exec_prestart has taken 1"));
    CHECK_THAT(condition.at("message").get<std::string>(), Catch::EndsWith("s so far, of 3600 s that it may take"));
    CHECK(client.state("hangs0") == "starting");
    // Nor does a daemon that is started anew keep anybody waiting.
    daemon.kill();
    daemon.start();
    CHECK(client.state("other") == "running");
    // Whoever removes one does not wait for its hook.
    for (int n = 0; n < kHanging; ++n) client.remove("hangs" + std::to_string(n));
    CHECK(std::ranges::none_of(all_processes(),
                               [](pid_t one) { return lives(one) && arguments_of(one).contains("47220"); }));
}
