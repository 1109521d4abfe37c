#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/commands.h"
#include "cli/create_options.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

int create(Context& context, const CreateOptions& options) {
    const auto spec = spec_of(options);
    if (!spec) return kUsage;
    context.wait = !options.no_wait;
    const auto body = body_text(*spec);
    int exit = kDone;
    if (!options.dry_run) {
        json created;
        exit = apply(context, change(context, "POST", "/v1/jails", body), "creating " + options.name,
                     options.stopped ? "created " + options.name + " (stopped)" : "created " + options.name, created);
        if (context.json && !created.is_null()) print_json(created);
        return exit;
    }
    const auto answer = call(context, {.method = "POST", .target = "/v1/jails?dry_run=true", .body = body}, exit);
    if (!answer) return exit;
    const auto value = json::parse(answer->body);
    if (context.json)
        print_json(value);
    else
        for (const auto& step : value.at("plan")) fmt::print("{}\n", step.get<std::string>());
    return kDone;
}

void add_create(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<CreateOptions>();
    auto* create_app = app.add_subcommand("create", "make a jail, and start it");
    create_app->footer(
        "Examples:\n"
        "  jaildctl create web\n"
        "  jaildctl create db --address 10.213.0.20/24 --label tier=data\n"
        "  jaildctl create proxy --publish 8080:80 --publish 5353:53/udp\n"
        "  jaildctl create dns --network alias --address em0=192.0.2.53 --address lo1=127.0.0.53\n"
        "  jaildctl create www --mount /srv/www:/var/www:ro --mount tmpfs:/tmp:size=64M,nosuid\n"
        "  jaildctl create build --network none -- /bin/sh -c 'make check'\n"
        "  jaildctl create small --limit memoryuse=512M --limit maxproc=100 --param allow.raw_sockets=1\n"
        "  jaildctl create shop --health-http 80/status --health-restart -- /usr/local/bin/shop\n"
        "  jaildctl create old --root path=/srv/jails/old --stopped");
    create_app->add_option("name", options->name, "letters, digits, - and _; not only digits")->required();
    add_spec_options(*create_app, *options);
    add_health_options(*create_app, options->health);
    create_app->add_option("-f,--file", options->file, "spec as JSON; options override it; - is standard input");
    create_app->add_flag(
        "--ephemeral", options->ephemeral,
        "it is removed when nobody needs it: its command has ended, or no program of a client's is in it");
    create_app->add_flag("--stopped", options->stopped, "make it, do not start it");
    create_app->add_flag("--no-wait", options->no_wait, "return when it is written down");
    create_app->add_flag("--dry-run", options->dry_run, "show the steps, do nothing");
    create_app->add_option("command", options->command, "-- COMMAND...: its supervised main process");
    create_app->callback(
        [options, &chosen] { chosen = [options](Context& context) { return create(context, *options); }; });
}

struct NamesOptions {
    std::vector<std::string> names;
    bool force = false;
    bool no_wait = false;
};

/// The last one takes what the API answered.
using ForEach = std::function<int(Context&, const std::string& name, const NamesOptions&, json&)>;

/// All are tried, the first failure is the exit code. With -o json one answer, or for several names an array of them.
int for_each_name(Context& context, const NamesOptions& options, const ForEach& each) {
    context.wait = !options.no_wait;
    int exit = kDone;
    json answers = json::array();
    for (const auto& jail : options.names) {
        json answer;
        if (const int code = each(context, jail, options, answer); exit == kDone) exit = code;
        if (!answer.is_null()) answers.push_back(std::move(answer));
    }
    if (!context.json) return exit;
    if (options.names.size() > 1)
        print_json(answers);
    else if (!answers.empty())
        print_json(answers.front());
    return exit;
}

CLI::App* add_names(CLI::App& app, Command& chosen, const char* name, const char* description,
                    const std::shared_ptr<NamesOptions>& options, ForEach each) {
    auto* sub = app.add_subcommand(name, description);
    sub->add_option("name", options->names, "jails")->required();
    sub->add_flag("--no-wait", options->no_wait, "return when it is written down");
    sub->callback([options, &chosen, each = std::move(each)] {
        chosen = [options, each](Context& context) { return for_each_name(context, *options, each); };
    });
    return sub;
}

int set_running(Context& context, const std::string& name, bool running, json& answer) {
    const json patch{{"running", running}};
    return apply(context, change(context, "PATCH", jail_target(name), patch.dump()),
                 (running ? "starting " : "stopping ") + name, (running ? "started " : "stopped ") + name, answer);
}

}  // namespace

void add_lifecycle_commands(CLI::App& app, Command& chosen) {
    add_create(app, chosen);
    add_names(app, chosen, "start", "start jails", std::make_shared<NamesOptions>(),
              [](Context& context, const std::string& name, const NamesOptions&, json& answer) {
                  return set_running(context, name, true, answer);
              });
    add_names(app, chosen, "stop", "stop jails; they stay stopped", std::make_shared<NamesOptions>(),
              [](Context& context, const std::string& name, const NamesOptions&, json& answer) {
                  return set_running(context, name, false, answer);
              });
    add_names(app, chosen, "restart", "stop and start jails, which takes up changed fields",
              std::make_shared<NamesOptions>(),
              [](Context& context, const std::string& name, const NamesOptions&, json& answer) {
                  return apply(context, change(context, "POST", jail_target(name, "/restart")), "restarting " + name,
                               "restarted " + name, answer);
              });
    auto remove = std::make_shared<NamesOptions>();
    auto* rm = add_names(app, chosen, "rm", "remove jails with their roots (a path= root is left alone)", remove,
                         [](Context& context, const std::string& name, const NamesOptions& options, json& answer) {
                             const int exit =
                                 apply(context,
                                       change(context, "DELETE", jail_target(name, options.force ? "?force=true" : "")),
                                       "removing " + name, "removed " + name, answer);
                             if (exit == kDone && answer.is_null())
                                 answer = {{"removed", name}};  // the API answers 204
                             return exit;
                         });
    rm->add_flag("-f,--force", remove->force, "stop running ones first");
}

}  // namespace jaild::cli
