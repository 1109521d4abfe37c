#include "core/base/files.h"
#include "core/kernel/linux/file_limits.h"
#include "tests/catch.h"
#include "tests/host/client.h"
#include "tests/host/eventually.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::test;
using nlohmann::json;

namespace file_limits = jaild::kernel::file_limits;

namespace {

/// Opens up to 100 beside its first three, and says how many it could.
const Argv kOpen{"/bin/bash", "-c",
                 "n=0; while [ $n -lt 100 ] && exec {fd}</dev/null; do n=$((n+1)); done 2>/dev/null; echo opened $n"};

json open_files(int amount) {
    return {{"openfiles", {{"amount", amount}, {"per", "process"}}}};
}

int opened(const Client& client, const std::string& jail) {
    const auto out = client.exec(jail, kOpen).at("stdout").get<std::string>();
    INFO(out);
    REQUIRE(out.starts_with("opened "));
    return std::stoi(out.substr(7));
}

/// Not in every container that a host's root is given.
bool may_raise() {
    constexpr int kSysResource = 24;
    const auto text = files::read("/proc/self/status", 64 * 1024).value();
    const auto line = text.substr(text.find("CapEff:") + 7);
    return (std::stoull(line, nullptr, 16) >> kSysResource & 1U) != 0;
}

rlimit of_command(const Client& client, const std::string& jail) {
    return file_limits::of(client.command_pid(jail)).value();
}

}  // namespace

TEST_CASE("a program opens no more files than it may, and its neighbour as ever", "[limits][files]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    const json sleeps{"sleep", "1000"};
    client.create({{"name", "free"}, {"command", sleeps}});
    client.create({{"name", "web"},
                   {"limits", open_files(32)},
                   {"command", sleeps},
                   {"exec", {{"start", {"/bin/sh", "-c", "echo soft $(ulimit -Sn) hard $(ulimit -Hn)"}}}}});
    CHECK_THAT(client.log("web"), Catch::Contains("soft 32 hard 32"));
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    const int most = opened(client, "web");
    CHECK(most < 32);
    CHECK(most > 16);
    CHECK(opened(client, "free") == 100);
    CHECK(of_command(client, "web").rlim_max == 32);
    const auto usual = of_command(client, "free");
    CHECK(usual.rlim_max == file_limits::usual().rlim_max);

    // What runs has the new one at once, and so have its children and what comes later.
    const auto command = client.command_pid("web");
    client.change("web", {{"limits", open_files(24)}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(client.command_pid("web") == command);
    CHECK(of_command(client, "web").rlim_cur == 24);
    CHECK(opened(client, "web") < most);
    daemon.kill();
    daemon.start();
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());

    const json without{{"limits", {{"openfiles", nullptr}}}};
    if (may_raise()) {
        client.change("web", without);
        CHECK(client.command_pid("web") == command);
    } else {
        const auto refused = daemon.request("PATCH", "/v1/jails/web", without.dump(), "Prefer: wait=60\r\n");
        CHECK(refused.status == 403);
        CHECK_THAT(refused.body, Catch::Contains("restart the jail"));
        CHECK(client.command_pid("web") == command);
        CHECK(daemon.request("POST", "/v1/jails/web/restart", "", "Prefer: wait=60\r\n").status == 200);
    }
    CHECK(eventually([&] { return client.get("/v1/jails/web/plan").at("plan").empty(); }, std::chrono::seconds(30)));
    CHECK(of_command(client, "web").rlim_max == usual.rlim_max);
    CHECK(opened(client, "web") == 100);
}

TEST_CASE("the fewest files with which a program still gets into a jail", "[limits][files]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"limits", open_files(16)}, {"exec", {{"start", {"true"}}}}});
    CHECK(client.sh("web", "ulimit -n") == "16");
    CHECK(daemon.request("PATCH", "/v1/jails/web", json{{"limits", open_files(15)}}.dump()).status == 422);
}

TEST_CASE("a program that lowers its own is left alone", "[limits][files]") {
    TestHost host;
    Daemon daemon(host);
    daemon.start();
    const Client client(daemon);
    client.create({{"name", "web"}, {"command", {"/bin/sh", "-c", "ulimit -n 99; exec sleep 1000"}}});
    client.change("web", {{"limits", {{"maxproc", 100}}}});
    CHECK(client.get("/v1/jails/web/plan").at("plan").empty());
    CHECK(of_command(client, "web").rlim_cur == 99);
}

TEST_CASE("what is in force of open files, as a rule", "[limits][files]") {
    const rlimit usual{.rlim_cur = 1024, .rlim_max = 524'288};
    const auto amount = [&](rlim_t soft, rlim_t hard, const model::Limits& asked = {}) -> std::int64_t {
        const auto rule = file_limits::rule_of({.rlim_cur = soft, .rlim_max = hard}, usual, asked);
        if (!rule) return 0;
        CHECK(rule->limit.per == "process");
        return rule->limit.amount;
    };
    CHECK(amount(1024, 524'288) == 0);
    CHECK(amount(32, 32) == 32);
    CHECK(amount(512, 1024) == 0);
    CHECK(amount(524'288, 524'288) == 0);
    const rlimit narrow{.rlim_cur = 1024, .rlim_max = 1024};
    CHECK_FALSE(file_limits::rule_of(narrow, narrow, {}));
    const model::Limit asked{.amount = 1024, .action = "deny", .per = "process"};
    CHECK(file_limits::rule_of(narrow, narrow, {{"openfiles", asked}})->limit == asked);

    CHECK(file_limits::check(asked));
    CHECK(error_of(file_limits::check({.amount = 99, .action = "deny"})).field == "/openfiles/per");
    CHECK(error_of(file_limits::check({.amount = 99, .action = "log", .per = "process"})).field == "/openfiles/action");
    for (const std::int64_t wrong : {std::int64_t{15}, std::int64_t{1} << 40})
        CHECK(error_of(file_limits::check({.amount = wrong, .action = "deny", .per = "process"})).field ==
              "/openfiles/amount");
}
