#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

std::string joined(const json& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word.get<std::string>();
    return text;
}

int doctor(Context& context) {
    int exit = kDone;
    const auto host = get(context, "/v1/host", exit);
    if (!host) return exit;
    bool problem = false;
    for (const auto& check : host->at("checks")) problem = problem || check.at("state") == "problem";
    if (context.json) {
        print_json(*host);
        return problem ? kFailed : kDone;
    }
    fmt::print("jaild {} on {} {} ({}), kernel driver {}, instance {}\n", text(*host, "version"), text(*host, "os"),
               text(*host, "release"), text(*host, "machine"), text(*host, "kernel_driver"), text(*host, "instance"));
    const auto yes_or_no = [&](const char* what) { return host->value(what, false) ? "yes" : "no"; };
    fmt::print("networks: {}; roots: {}; limits: {}; parameters: {}; {} jails, {} running\n\n",
               joined(host->at("network_modes")), joined(host->at("root_kinds")), yes_or_no("limits"),
               yes_or_no("parameters"), host->value("jails", 0), host->value("running", 0));
    Table table({"", "CHECK", "FOUND"});
    for (const auto& check : host->at("checks"))
        table.add({text(check, "state"), text(check, "name"), text(check, "detail")});
    fmt::print("{}", table.to_string());
    for (const auto& check : host->at("checks"))
        if (const auto remedy = text(check, "remedy"); !remedy.empty() && check.at("state") != "ok")
            fmt::print("\n{}: {}\n", text(check, "name"), remedy);
    return problem ? kFailed : kDone;
}

}  // namespace

void add_doctor_command(CLI::App& app, Command& chosen) {
    auto* sub = app.add_subcommand("doctor", "what this host can do, and the line that mends what it cannot");
    sub->callback([&chosen] { chosen = doctor; });
}

}  // namespace jaild::cli
