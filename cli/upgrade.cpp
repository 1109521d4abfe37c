#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/operation.h"
#include "cli/table.h"

/// jaildctl upgrade|rollback
namespace jaild::cli {
namespace {

using nlohmann::json;

struct UpgradeOptions {
    std::vector<std::string> names;
    std::string to;
    std::vector<std::string> selectors;
    std::size_t max_unavailable = 1;
    bool dry_run = false;
    bool no_wait = false;
};

/// "KEY=VALUE" of a label; with or without "label=" before it.
std::string label_query(const std::string& selector) {
    constexpr std::string_view prefix = "label=";
    const bool named = selector.starts_with(prefix) && selector.find('=', prefix.size()) != std::string::npos;
    return "label=" + client::encode(named ? selector.substr(prefix.size()) : selector);
}

/// Those that are named, or selected. Nothing, and `exit` set, when they cannot be known.
std::optional<std::vector<std::string>> chosen_jails(Context& context, const UpgradeOptions& options, int& exit) {
    if (options.names.empty() == options.selectors.empty()) {
        fmt::print(stderr, "jaildctl: name jails, or say --selector\n");
        exit = kUsage;
        return std::nullopt;
    }
    if (options.selectors.empty()) return options.names;
    std::string query = "/v1/jails?limit=1000";
    for (const auto& selector : options.selectors) query += "&" + label_query(selector);
    const auto answer = get(context, query, exit);
    if (!answer) return std::nullopt;
    std::vector<std::string> names;
    for (const auto& jail : answer->at("items")) names.push_back(jail.value("name", ""));
    if (names.empty()) fmt::print(stderr, "jaildctl: no jail has these labels\n");
    return names;
}

/// A version of the template that the jail has, if it does not name one itself.
std::optional<std::string> target_for(Context& context, const std::string& name, const std::string& to, int& exit) {
    if (to.find(':') != std::string::npos) return to;
    const auto jail = get(context, jail_target(name), exit);
    if (!jail) return std::nullopt;
    const auto now = jail->at("spec").value("template", "");
    return now.substr(0, now.find(':')) + ":" + to;
}

int try_one(Context& context, const std::string& name, const std::string& target) {
    int exit = kDone;
    const auto answer = call(context,
                             {.method = "POST",
                              .target = jail_target(name, "/upgrade?dry_run=true"),
                              .body = body_text({{"template", target}})},
                             exit);
    if (!answer) return exit;
    const auto value = json::parse(answer->body);
    if (context.json) {
        print_json(value);
        return kDone;
    }
    if (value.at("plan").empty()) fmt::print("{} has {} already\n", name, printable(target));
    for (const auto& line : value.at("plan")) fmt::print("{}: {}\n", name, printable(line.get<std::string>()));
    return kDone;
}

/// What the operation says of the merge.
void print_steps(Context& context, const std::string& operation) {
    int exit = kDone;
    const auto ended = get(context, "/v1/operations/" + client::encode(operation), exit);
    if (!ended) return;
    for (const auto& step : ended->at("steps"))
        if (const auto said = printable(step.get<std::string>());
            said.starts_with("conflict: ") || said.starts_with("merged: "))
            fmt::print("  {}\n", said);
}

/// Begins it: the operation's id, empty when nothing has to be done. Nothing, and `exit` set, when it is refused.
std::optional<std::string> begin_one(Context& context, const std::string& name, const std::string& target, int& exit) {
    const auto answer = call(
        context, {.method = "POST", .target = jail_target(name, "/upgrade"), .body = body_text({{"template", target}})},
        exit);
    if (!answer) return std::nullopt;
    return json::parse(answer->body).value("operation", "");
}

/// Waits for its end, and says what became of it.
int finish_one(Context& context, const std::string& name, const std::string& target, const std::string& operation) {
    int exit = kDone;
    const auto ended = wait_for_operation(context, operation, exit);
    if (ended.is_null()) return exit;
    if (context.json) print_json(ended);
    if (ended.value("state", "") != "succeeded") {
        const auto problem = ended.value("problem", json());
        fmt::print(stderr, "jaildctl: {}: {} ({})\n", name,
                   problem.is_object() ? text(problem, "detail") : "the upgrade was cancelled",
                   problem.is_object() ? text(problem, "code") : "cancelled");
        return kFailed;
    }
    if (context.json) return kDone;
    fmt::print("upgraded {} to {}\n", name, target);
    print_steps(context, operation);
    return kDone;
}

/// So many at a time; none is begun after one that failed.
int upgrade_all(Context& context, const UpgradeOptions& options) {
    int exit = kDone;
    const auto names = chosen_jails(context, options, exit);
    if (!names) return exit;
    for (std::size_t first = 0; first < names->size() && exit == kDone; first += options.max_unavailable) {
        struct Begun {
            std::string name;
            std::string target;
            std::string operation;
        };
        std::vector<Begun> begun;
        for (auto i = first; i < std::min(first + options.max_unavailable, names->size()); ++i) {
            const auto& name = (*names)[i];
            int code = kDone;
            const auto target = target_for(context, name, options.to, code);
            if (target && options.dry_run) code = try_one(context, name, *target);
            const auto operation =
                target && !options.dry_run ? begin_one(context, name, *target, code) : std::optional<std::string>();
            if (operation && operation->empty()) fmt::print("{} has {} already\n", name, *target);
            if (operation && !operation->empty()) begun.push_back({name, *target, *operation});
            if (exit == kDone) exit = code;
        }
        for (const auto& one : begun) {
            if (options.no_wait) {
                fmt::print("upgrading {} to {} (not waited for)\n", one.name, one.target);
                continue;
            }
            const int code = finish_one(context, one.name, one.target, one.operation);
            if (exit == kDone) exit = code;
        }
    }
    return exit;
}

int roll_back_all(Context& context, const UpgradeOptions& options) {
    int exit = kDone;
    for (const auto& name : options.names) {
        json answer;
        const int code = apply(context, change(context, "POST", jail_target(name, "/rollback")), "rolling back " + name,
                               "rolled back " + name, answer);
        if (context.json && !answer.is_null()) print_json(answer);
        if (exit == kDone) exit = code;
    }
    return exit;
}

}  // namespace

void add_upgrade_commands(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<UpgradeOptions>();
    auto* upgrade = app.add_subcommand("upgrade", "give jails another version of their template");
    upgrade->footer(
        "Examples:\n"
        "  jaildctl upgrade web --to 14.3 --dry-run\n"
        "  jaildctl upgrade web --to 14.3\n"
        "  jaildctl upgrade --selector label=tier=front --to 14.3 --max-unavailable 2");
    upgrade->add_option("name", options->names, "jails");
    upgrade->add_option("--to", options->to, "a version of the jail's template, or NAME:VERSION; latest")->required();
    upgrade->add_option("--selector", options->selectors, "label=KEY=VALUE: all jails that have it")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    upgrade->add_option("--max-unavailable", options->max_unavailable, "so many at a time (1); none after a failure")
        ->check(CLI::Range(1, 1000));
    upgrade->add_flag("--dry-run", options->dry_run, "say what would be merged, change nothing");
    upgrade->add_flag("--no-wait", options->no_wait, "return when it is written down");
    upgrade->callback(
        [options, &chosen] { chosen = [options](Context& context) { return upgrade_all(context, *options); }; });

    auto* rollback = app.add_subcommand("rollback", "make the roots of jails what they were before their last upgrade");
    rollback->add_option("name", options->names, "jails")->required();
    rollback->add_flag("--no-wait", options->no_wait, "return when it is written down");
    rollback->callback([options, &chosen] {
        chosen = [options](Context& context) {
            context.wait = !options->no_wait;
            return roll_back_all(context, *options);
        };
    });
}

}  // namespace jaild::cli
