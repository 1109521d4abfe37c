#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/table.h"

/// jaildctl snapshot ls|show|create|rm|restore|clone|schedule
namespace jaild::cli {
namespace {

using nlohmann::json;

struct SnapshotOptions {
    std::string jail;  ///< or "JAIL@NAME"
    std::vector<std::string> names;
    std::string name;
    std::string description;
    std::vector<std::string> labels;
    std::vector<std::string> schedule;
    bool stopped = false;
    bool no_wait = false;
};

/// Of "web@before". Nothing, and said, for any other form.
std::optional<std::string> snapshot_target(const std::string& reference, const std::string& rest = {}) {
    const auto at = reference.find('@');
    if (at != std::string::npos && at > 0 && at + 1 < reference.size())
        return jail_target(reference.substr(0, at), "/snapshots/" + client::encode(reference.substr(at + 1)) + rest);
    fmt::print(stderr, "jaildctl: \"{}\" is no snapshot: write JAIL@NAME\n", printable(reference));
    return std::nullopt;
}

int send(Context& context, const client::Request& request, const std::string& doing, const std::string& done) {
    json answer;
    const int exit = apply(context, request, doing, done, answer);
    if (context.json && !answer.is_null()) print_json(answer);
    return exit;
}

int list_snapshots(Context& context, const std::string& jail) {
    int exit = kDone;
    const auto answer = get(context, jail.empty() ? "/v1/snapshots" : jail_target(jail, "/snapshots"), exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    Table table({"SNAPSHOT", "STATE", "REASON", "TEMPLATE", "ENTRIES", "SIZE", "AGE"});
    for (const auto& one : answer->at("items")) {
        const auto& entries = one.at("entries");
        const auto series = text(one, "series");
        table.add({text(one, "reference"), text(one, "state"), series.empty() ? text(one, "reason") : series,
                   text(one, "template"), entries.is_number() ? std::to_string(entries.get<std::uint64_t>()) : "-",
                   size_text(one.at("bytes")), age(text(one, "created_at"))});
    }
    fmt::print("{}", table.to_string());
    return kDone;
}

int show_snapshot(Context& context, const std::string& reference) {
    const auto target = snapshot_target(reference);
    if (!target) return kUsage;
    int exit = kDone;
    const auto found = get(context, *target, exit);
    if (!found) return exit;
    print_json(*found);
    return kDone;
}

int create_snapshot(Context& context, const SnapshotOptions& options) {
    // "web@before" reads as well as "web before".
    const auto at = options.jail.find('@');
    const auto jail = options.jail.substr(0, at);
    const auto name = at == std::string::npos ? options.name : options.jail.substr(at + 1);
    if (at != std::string::npos && !options.name.empty()) {
        fmt::print(stderr, "jaildctl: the snapshot is named twice\n");
        return kUsage;
    }
    json body = json::object();
    if (!name.empty()) body["name"] = name;
    if (!options.description.empty()) body["description"] = options.description;
    int exit = kDone;
    const auto answer = call(context, change(context, "POST", jail_target(jail, "/snapshots"), body_text(body)), exit);
    if (!answer) return exit;
    const auto made = json::parse(answer->body);
    if (context.json) {
        print_json(made);
    } else if (answer->status == 201) {
        fmt::print("took {}: {} entries, {}\n", text(made, "reference"), made.at("entries").get<std::uint64_t>(),
                   size_text(made.at("bytes")));
    } else {
        fmt::print("taking {} (not waited for)\n", text(made, "reference"));
    }
    return kDone;
}

int remove_snapshots(Context& context, const SnapshotOptions& options) {
    int exit = kDone;
    for (const auto& name : options.names) {
        const auto target = snapshot_target(name);
        const int code =
            target ? send(context, change(context, "DELETE", *target), "removing " + name, "removed " + name) : kUsage;
        if (exit == kDone) exit = code;
    }
    return exit;
}

int restore_snapshot(Context& context, const std::string& reference) {
    const auto target = snapshot_target(reference, "/restore");
    if (!target) return kUsage;
    return send(context, change(context, "POST", *target), "restoring " + reference, "restored " + reference);
}

int clone_snapshot(Context& context, const SnapshotOptions& options) {
    const auto target = snapshot_target(options.jail, "/clone");
    if (!target) return kUsage;
    json body{{"name", options.name}};
    if (options.stopped) body["running"] = false;
    if (!options.labels.empty()) {
        auto labels = pairs(options.labels, "--label");
        if (!labels) return kUsage;
        body["labels"] = *std::move(labels);
    }
    return send(context, change(context, "POST", *target, body_text(body)), "creating " + options.name,
                fmt::format("created {} from {}", options.name, options.jail));
}

/// "hourly=24": an entry of the spec's `snapshots`. Nothing, and said, for any other form.
std::optional<json> schedule_of(const std::vector<std::string>& texts) {
    if (texts.size() == 1 && texts.front() == "none") return json();
    // What is not named goes.
    json schedule{{"hourly", nullptr}, {"daily", nullptr}, {"weekly", nullptr}, {"monthly", nullptr}};
    for (const auto& text : texts) {
        const auto equals = text.find('=');
        const auto count = equals == std::string::npos ? std::string() : text.substr(equals + 1);
        if (count.empty() || count.size() > 6 || count.find_first_not_of("0123456789") != std::string::npos) {
            fmt::print(stderr, "jaildctl: \"{}\" is no schedule: write hourly=24,daily=7 or none\n", printable(text));
            return std::nullopt;
        }
        schedule[text.substr(0, equals)] = std::stoul(count);
    }
    return schedule;
}

int schedule_snapshots(Context& context, const SnapshotOptions& options) {
    const auto schedule = schedule_of(options.schedule);
    if (!schedule) return kUsage;
    return send(context, change(context, "PATCH", jail_target(options.jail), body_text({{"snapshots", *schedule}})),
                "changing " + options.jail,
                schedule->is_null() ? fmt::format("no more snapshots of {} by themselves", options.jail)
                                    : fmt::format("scheduled snapshots of {}", options.jail));
}

}  // namespace

void add_snapshot_commands(CLI::App& app, Command& chosen) {
    auto* snapshots = app.add_subcommand("snapshot", "snapshots: ls, show, create, rm, restore, clone, schedule");
    snapshots->require_subcommand(1);
    auto options = std::make_shared<SnapshotOptions>();
    const auto run = [options, &chosen](CLI::App* sub, auto work) {
        sub->callback([options, &chosen, work] {
            chosen = [options, work](Context& context) {
                context.wait = !options->no_wait;
                return work(context, *options);
            };
        });
    };
    const auto no_wait = [options](CLI::App* sub) {
        sub->add_flag("--no-wait", options->no_wait, "return when it is written down");
    };

    auto* ls = snapshots->add_subcommand("ls", "list snapshots");
    ls->add_option("jail", options->jail, "of this jail; else of all");
    run(ls, [](Context& context, const SnapshotOptions& asked) { return list_snapshots(context, asked.jail); });

    auto* show = snapshots->add_subcommand("show", "everything about a snapshot, as JSON");
    show->add_option("snapshot", options->jail, "JAIL@NAME")->required();
    run(show, [](Context& context, const SnapshotOptions& asked) { return show_snapshot(context, asked.jail); });

    auto* create = snapshots->add_subcommand("create", "take a snapshot of a jail's root; the jail may run");
    create->add_option("jail", options->jail, "JAIL, or JAIL@NAME")->required();
    create->add_option("name", options->name, "without, the time in UTC");
    create->add_option("--description", options->description, "for people");
    no_wait(create);
    run(create, create_snapshot);

    auto* rm = snapshots->add_subcommand("rm", "remove snapshots");
    rm->add_option("snapshot", options->names, "JAIL@NAME")->required();
    no_wait(rm);
    run(rm, remove_snapshots);

    auto* restore = snapshots->add_subcommand(
        "restore", "make a jail's root what it was; the jail is stopped and started around it");
    restore->add_option("snapshot", options->jail, "JAIL@NAME")->required();
    no_wait(restore);
    run(restore, [](Context& context, const SnapshotOptions& asked) { return restore_snapshot(context, asked.jail); });

    auto* clone = snapshots->add_subcommand("clone", "make a new jail with the root of a snapshot");
    clone->add_option("snapshot", options->jail, "JAIL@NAME")->required();
    clone->add_option("name", options->name, "of the new jail")->required();
    clone->add_option("--label", options->labels, "KEY=VALUE")->expected(1)->take_all()->allow_extra_args(false);
    clone->add_flag("--stopped", options->stopped, "do not start it");
    no_wait(clone);
    run(clone, clone_snapshot);

    auto* schedule = snapshots->add_subcommand("schedule", "take snapshots of a jail by the clock");
    schedule->add_option("jail", options->jail, "JAIL")->required();
    schedule->add_option("series", options->schedule, "hourly=24,daily=7,weekly=4,monthly=12: how many are kept; none")
        ->required()
        ->delimiter(',');
    run(schedule, schedule_snapshots);
}

}  // namespace jaild::cli
