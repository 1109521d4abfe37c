#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/table.h"
#include "cli/usage.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

int ps(Context& context, const std::string& name) {
    int exit = kDone;
    const auto answer = get(context, jail_target(name, "/processes"), exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    Table table({"PID", "JAIL PID", "USER", "CPU", "MEMORY", "AGE", "STATE", "COMMAND"});
    for (const auto& one : answer->at("items")) {
        const auto user = text(one, "user");
        table.add({count_text(number_at(one, "/pid")), count_text(number_at(one, "/jail_pid")),
                   user.empty() ? count_text(number_at(one, "/uid")) : user, duration_text(number_at(one, "/cpu_us")),
                   bytes_text(number_at(one, "/memory_bytes")), age(text(one, "started_at")), text(one, "state"),
                   text(one, "command") + (one.value("held", false) ? "  (jaild's own)" : "")});
    }
    fmt::print("{}", table.to_string());
    if (answer->value("truncated", false)) fmt::print(stderr, "jaildctl: there are more processes than jaild lists\n");
    return kDone;
}

struct KillOptions {
    std::string name;
    std::string signal = "TERM";
    std::vector<std::int64_t> pids;
};

int kill(Context& context, const KillOptions& options) {
    json body{{"signal", options.signal}};
    if (!options.pids.empty()) body["pids"] = options.pids;
    int exit = kDone;
    const auto response =
        call(context, {.method = "POST", .target = jail_target(options.name, "/kill"), .body = body_text(body)}, exit);
    if (!response) return exit;
    const auto answer = json::parse(response->body, nullptr, false);
    if (context.json) {
        print_json(answer);
        return kDone;
    }
    const auto count = answer.value("pids", json::array()).size();
    fmt::print("sent {} to {} process{} of {}\n", options.signal, count, count == 1 ? "" : "es", options.name);
    return kDone;
}

}  // namespace

void add_process_commands(CLI::App& app, Command& chosen) {
    auto name = std::make_shared<std::string>();
    auto* ps_app = app.add_subcommand("ps", "the processes of a jail");
    ps_app->add_option("name", *name, "a jail")->required();
    ps_app->callback([name, &chosen] { chosen = [name](Context& context) { return ps(context, *name); }; });

    auto options = std::make_shared<KillOptions>();
    auto* kill_app = app.add_subcommand("kill", "send a signal to processes of a jail, or to all of them");
    kill_app->add_option("name", options->name, "a jail")->required();
    kill_app->add_option("pids", options->pids, "the host's pids, as ps shows them; without: all")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{std::numeric_limits<std::int32_t>::max()}));
    kill_app->add_option("-s,--signal", options->signal, "TERM by default; HUP, KILL, USR1 …");
    kill_app->callback(
        [options, &chosen] { chosen = [options](Context& context) { return kill(context, *options); }; });
}

}  // namespace jaild::cli
