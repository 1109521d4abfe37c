#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
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

std::string outcome_of(const json& item) {
    if (!item.contains("removed")) return item.value("kept", false) ? "stays until it is asked for" : "goes by itself";
    return item.value("removed", false) ? "removed" : "LEFT: " + text(item, "problem");
}

/// What is left behind; removed unless it is only to be listed.
int residue(Context& context, bool dry_run) {
    const client::Request request{.method = dry_run ? "GET" : "POST", .target = "/v1/host/residue"};
    int exit = kDone;
    const auto answer = call(context, request, exit);
    if (!answer) return exit;
    const auto found = json::parse(answer->body);
    bool left = false;
    for (const auto& item : found.at("items")) left = left || !item.value("removed", true);
    if (context.json) {
        print_json(found);
        return left ? kFailed : kDone;
    }
    if (found.at("items").empty()) {
        fmt::print("nothing is left behind\n");
        return kDone;
    }
    Table table({"OF", "KIND", "OBJECT", "STATE", dry_run ? "" : "OUTCOME"});
    for (const auto& item : found.at("items"))
        table.add(
            {text(item, "owner"), text(item, "kind"), text(item, "object"), text(item, "detail"), outcome_of(item)});
    fmt::print("{}", table.to_string());
    return left ? kFailed : kDone;
}

struct DoctorOptions {
    bool residue = false;
    bool dry_run = false;
};

}  // namespace

void add_doctor_command(CLI::App& app, Command& chosen) {
    auto* sub = app.add_subcommand("doctor", "what this host can do, and the line that mends what it cannot");
    auto options = std::make_shared<DoctorOptions>();
    auto* asked = sub->add_flag("--residue", options->residue,
                                "instead: remove what bears jaild's mark and has no owner, jails that run and their "
                                "roots too; for administrators");
    sub->add_flag("--dry-run", options->dry_run, "only list it")->needs(asked);
    sub->footer(
        "Examples:\n"
        "  jaildctl doctor\n"
        "  jaildctl doctor --residue --dry-run     what is left behind, and what jaild leaves alone by itself\n"
        "  jaildctl doctor --residue               remove all of it");
    sub->callback([&chosen, options] {
        chosen = [options](Context& context) {
            return options->residue ? residue(context, options->dry_run) : doctor(context);
        };
    });
}

}  // namespace jaild::cli
