#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/spec/tree.h"
#include "cli/table.h"
#include "core/base/ascii.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr int kPage = 1000;
constexpr int kWhyEvents = 8;
constexpr int kWhyLogLines = 10;

/// "running", "running (command exited 3)", "running (healthy)".
std::string state_of(const json& jail) {
    const auto& status = jail.at("status");
    auto state = text(status, "state");
    const auto exit = status.find("last_exit");
    const bool ended = status.at("command_pid").is_null() && exit != status.end() && exit->is_object();
    if (ended && state == "running" && !jail.at("spec").value("command", json::array()).empty())
        state += fmt::format(" (command ended: {})", exit->value("exit_code", 0));
    if (const auto health = status.find("health"); health != status.end() && health->is_object())
        state +=
            fmt::format(" ({})", text(*health, "state") == "starting" ? "not healthy yet" : text(*health, "state"));
    return state;
}

std::string addresses_of(const json& jail) {
    std::string all;
    for (const auto& address : jail.at("status").value("addresses", json::array())) {
        auto plain = address.get<std::string>();
        plain = plain.substr(0, plain.find('/'));
        all += (all.empty() ? "" : " ") + plain;
    }
    return all;
}

struct ListOptions {
    std::string state;
    std::vector<std::string> labels;
    bool quiet = false;
    bool tree = false;
    bool all = false;
};

/// " [healthy, restart]", what is asked of one that another needs.
std::string note_of(const json& entry) {
    std::string all;
    for (const auto* word : {"healthy", "restart"})
        if (text(entry, "condition") == word || text(entry, "on_death") == word)
            all += (all.empty() ? "" : ", ") + std::string(word);
    return all.empty() ? all : " [" + all + "]";
}

/// Each jail with those that it needs beneath it.
void print_tree(const json& items) {
    std::vector<std::string> names;
    std::map<std::string, std::vector<std::string>> needs;
    std::map<std::string, std::string> states;
    std::map<std::string, std::string> notes;  // by "web/db"
    for (const auto& jail : items) {
        const auto name = text(jail, "name");
        names.push_back(name);
        for (const auto& entry : jail.at("spec").value("depends_on", json::array())) {
            const auto needed = entry.is_string() ? entry.get<std::string>() : text(entry, "jail");
            needs[name].push_back(needed);
            if (entry.is_object()) notes[to_lower(name + '/' + needed)] = note_of(entry);
        }
        states[name] = state_of(jail);
    }
    Table table({"NAME", "STATE"});
    for (const auto& line : dependency_tree(names, needs))
        table.add(
            {line.branches + line.name + notes[to_lower(line.above + '/' + line.name)] + (line.before ? " …" : ""),
             line.known ? states[line.name] : "-"});
    fmt::print("{}", table.to_string());
}

int list(Context& context, const ListOptions& options) {
    std::string query = fmt::format("?limit={}", kPage);
    if (!options.state.empty()) query += "&state=" + client::encode(options.state);
    for (const auto& label : options.labels) query += "&label=" + client::encode(label);
    json items = json::array();
    std::string cursor;
    do {
        int exit = kDone;
        const auto page = get(context, "/v1/jails" + query + (cursor.empty() ? "" : "&cursor=" + cursor), exit);
        if (!page) return exit;
        for (const auto& item : page->at("items"))
            if (options.all || text(item, "pool").empty()) items.push_back(item);
        cursor = page->value("next", "");
    } while (!cursor.empty());
    if (context.json) {
        print_json({{"items", std::move(items)}});
        return kDone;
    }
    if (options.tree) {
        print_tree(items);
        return kDone;
    }
    Table table({"NAME", "STATE", "ADDRESSES", "TEMPLATE", "AGE"});
    for (const auto& jail : items) {
        if (options.quiet)
            fmt::print("{}\n", text(jail, "name"));
        else
            table.add({text(jail, "name"), state_of(jail), addresses_of(jail),
                       jail.at("spec").value("template", std::string{"-"}), age(text(jail, "created_at"))});
    }
    if (!options.quiet) fmt::print("{}", table.to_string());
    return kDone;
}

void print_conditions(const json& jail) {
    for (const auto& condition : jail.at("status").value("conditions", json::array()))
        fmt::print("  {}={} {}: {}\n", text(condition, "type"), condition.value("status", false),
                   text(condition, "reason"), text(condition, "message"));
}

int show(Context& context, const std::string& name) {
    int exit = kDone;
    const auto jail = get(context, jail_target(name), exit);
    if (!jail) return exit;
    // A jail has more fields than a table has columns: people get the same document.
    print_json(*jail);
    return kDone;
}

int plan(Context& context, const std::string& name) {
    int exit = kDone;
    const auto answer = get(context, jail_target(name, "/plan"), exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    if (answer->at("plan").empty()) fmt::print("nothing to do: {} is as asked for\n", name);
    for (const auto& step : answer->at("plan")) fmt::print("{}\n", printable(step.get<std::string>()));
    return kDone;
}

void print_policy(const char* way, const json& policy) {
    if (policy.is_null()) return;
    for (const auto& rule : policy.at("rules")) {
        std::string ports;
        for (const auto& port : rule.at("ports")) ports += (ports.empty() ? " port " : ",") + port.get<std::string>();
        const auto word = [&](const char* key) {
            return rule.at(key).is_null() ? std::string("any") : rule.at(key).get<std::string>();
        };
        fmt::print("{:<8} {:<6} {:<5} {}{}  ({} packets)\n", way, text(rule, "action"), word("protocol"),
                   printable(word("peer")), ports, rule.at("packets").get<std::uint64_t>());
    }
    fmt::print("{:<8} {:<6} everything else  ({} packets)\n", way, text(policy, "default"),
               policy.at("packets").get<std::uint64_t>());
}

int firewall(Context& context, const std::string& name) {
    int exit = kDone;
    const auto answer = get(context, jail_target(name, "/firewall"), exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    for (const auto& one : answer->at("published"))
        fmt::print("publish  {} -> {}  ({} packets)\n", text(one, "host"), text(one, "jail_port"),
                   one.at("packets").get<std::uint64_t>());
    print_policy("ingress", answer->at("ingress"));
    print_policy("egress", answer->at("egress"));
    for (const auto& group : answer->at("groups")) {
        std::string members;
        for (const auto& member : group.at("members")) members += " " + member.get<std::string>();
        fmt::print("group    {}:{}\n", printable(text(group, "key")), members.empty() ? " nobody" : members);
    }
    // Lines of the packet filter's own; names of users are in no place of them.
    fmt::print("\n{}", answer->at("text").get<std::string>());
    return kDone;
}

void print_events(const json& events) {
    for (const auto& event : events)
        fmt::print("  {}  {}  {}\n", text(event, "at"), text(event, "type"), printable(event.at("data").dump()));
}

/// Condition, failing step, last events and log lines in one place.
int why(Context& context, const std::string& name) {
    int exit = kDone;
    const auto jail = get(context, jail_target(name), exit);
    if (!jail) return exit;
    const auto events = get(
        context,
        fmt::format("/v1/events?follow=false&jail={}&limit={}", client::encode(text(*jail, "name")), kWhyEvents), exit);
    const auto steps = get(context, jail_target(name, "/plan"), exit);
    const auto log = call(context, {.target = jail_target(name, fmt::format("/logs?tail={}", kWhyLogLines))}, exit);
    if (!events || !steps || !log) return exit;
    if (context.json) {
        print_json({{"jail", *jail}, {"plan", steps->at("plan")}, {"events", events->at("items")}, {"log", log->body}});
        return kDone;
    }
    fmt::print("{} is {}; it should be {}\n", text(*jail, "name"), state_of(*jail),
               jail->at("spec").value("running", true) ? "running" : "stopped");
    if (!jail->at("status").value("conditions", json::array()).empty()) fmt::print("conditions\n");
    print_conditions(*jail);
    if (!steps->at("plan").empty()) fmt::print("steps not done\n");
    for (const auto& step : steps->at("plan")) fmt::print("  {}\n", printable(step.get<std::string>()));
    fmt::print("last events\n");
    print_events(events->at("items"));
    if (!log->body.empty()) fmt::print("last log lines\n{}", log->body);
    return kDone;
}

using ForOne = int (*)(Context&, const std::string&);

void add_one(CLI::App& app, Command& chosen, const char* command, const char* description, ForOne one) {
    auto name = std::make_shared<std::string>();
    auto* sub = app.add_subcommand(command, description);
    sub->add_option("name", *name, "a jail")->required();
    sub->callback([name, &chosen, one] { chosen = [name, one](Context& context) { return one(context, *name); }; });
}

}  // namespace

void add_look_commands(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<ListOptions>();
    auto* ls = app.add_subcommand("ls", "list jails");
    ls->add_option("--state", options->state, "importing, stopped, starting, running, stopping, failed or dying");
    ls->add_option("--label", options->labels, "KEY=VALUE")->expected(1)->take_all()->allow_extra_args(false);
    auto* quiet = ls->add_flag("-q,--quiet", options->quiet, "names only");
    ls->add_flag("-a,--all", options->all, "those too that wait in a pool");
    ls->add_flag("--tree", options->tree, "what each needs beneath it")->excludes(quiet);
    ls->callback([options, &chosen] { chosen = [options](Context& context) { return list(context, *options); }; });
    add_one(app, chosen, "show", "everything about a jail, as JSON", show);
    add_one(app, chosen, "plan", "the steps that would make a jail as asked for", plan);
    add_one(app, chosen, "firewall", "the packet filter rules of a jail, as they are loaded", firewall);
    add_one(app, chosen, "why", "what is wrong with a jail: conditions, steps, events and log in one place", why);
}

}  // namespace jaild::cli
