#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/create_options.h"
#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr int kMostJails = 64;  // the API's own limit

struct PoolOptions {
    CreateOptions jail;
    int size = -1;  ///< -1: none was given
};

std::string pool_target(const std::string& name, const std::string& rest = {}) {
    return "/v1/pools/" + client::encode(name) + rest;
}

int list_pools(Context& context) {
    int exit = kDone;
    const auto answer = get(context, "/v1/pools", exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    Table table({"NAME", "SIZE", "READY", "COMING", "TEMPLATE", "FAILURE"});
    for (const auto& pool : answer->at("items")) {
        const auto& status = pool.at("status");
        const auto failure = text(status, "failure");
        table.add({text(pool, "name"), std::to_string(pool.value("size", 0)), std::to_string(status.value("ready", 0)),
                   std::to_string(status.value("coming", 0)), text(pool.at("jail"), "template"),
                   failure.empty() ? "-" : failure});
    }
    fmt::print("{}", table.to_string());
    return kDone;
}

int show_pool(Context& context, const std::string& name) {
    int exit = kDone;
    const auto pool = get(context, pool_target(name), exit);
    if (pool) print_json(*pool);
    return exit;
}

/// The pool's name is not that of a jail.
std::optional<json> jail_of(CreateOptions options) {
    options.name.clear();
    auto spec = spec_of(options);
    if (spec) spec->erase("name");
    return spec;
}

int send_pool(Context& context, const char* method, const std::string& target, const json& body,
              const std::string& done) {
    int exit = kDone;
    client::Request request{.method = method, .target = target, .body = body_text(body)};
    if (request.method == "PATCH") request.content_type = "application/merge-patch+json";
    const auto answer = call(context, request, exit);
    if (!answer) return exit;
    if (context.json)
        print_json(json::parse(answer->body));
    else
        fmt::print("{}\n", done);
    return kDone;
}

int change_pool(Context& context, const PoolOptions& options, bool create) {
    auto jail = jail_of(options.jail);
    if (!jail) return kUsage;
    json body = json::object();
    if (options.size >= 0) body["size"] = options.size;
    if (create || !jail->empty()) body["jail"] = *std::move(jail);
    const auto& name = options.jail.name;
    if (!create) return send_pool(context, "PATCH", pool_target(name), body, "changed pool " + name);
    body["name"] = name;
    return send_pool(context, "POST", "/v1/pools", body, "created pool " + name);
}

int remove_pools(Context& context, const std::vector<std::string>& names) {
    int exit = kDone;
    json removed = json::array();
    for (const auto& name : names) {
        int code = kDone;
        if (!call(context, {.method = "DELETE", .target = pool_target(name)}, code)) {
            if (exit == kDone) exit = code;
            continue;
        }
        if (!context.json) fmt::print("removed pool {}\n", name);
        removed.push_back({{"removed", name}});  // the API answers 204
    }
    if (context.json && !removed.empty()) print_json(names.size() > 1 ? removed : removed.front());
    return exit;
}

void add_pool_change(CLI::App& app, Command& chosen, const char* name, const char* description, bool create) {
    auto options = std::make_shared<PoolOptions>();
    auto* sub = app.add_subcommand(name, description);
    sub->add_option("name", options->jail.name, "of the pool")->required();
    sub->add_option("--size", options->size, create ? "jails that are kept ready (1)" : "jails that are kept ready")
        ->check(CLI::Range(0, kMostJails));
    add_spec_options(*sub, options->jail);
    sub->add_option("-f,--file", options->jail.file, "spec of its jails as JSON; options override it");
    sub->callback([options, create, &chosen] {
        chosen = [options, create](Context& context) { return change_pool(context, *options, create); };
    });
}

}  // namespace

void add_pool_commands(CLI::App& app, Command& chosen) {
    auto* pool = app.add_subcommand("pool", "jails that are kept ready for run --pool: ls, show, create, set, rm");
    pool->require_subcommand(1);
    pool->footer(
        "Examples:\n"
        "  jaildctl pool create ci --size 4 --network none --limit memoryuse=1G\n"
        "  jaildctl run --rm --pool ci -- make check\n"
        "  jaildctl pool set ci --size 8\n"
        "  jaildctl pool rm ci");
    auto* ls = pool->add_subcommand("ls", "list pools");
    ls->callback([&chosen] { chosen = [](Context& context) { return list_pools(context); }; });
    auto name = std::make_shared<std::string>();
    auto* show = pool->add_subcommand("show", "everything about a pool, as JSON");
    show->add_option("name", *name, "a pool")->required();
    show->callback([name, &chosen] { chosen = [name](Context& context) { return show_pool(context, *name); }; });
    add_pool_change(*pool, chosen, "create", "make a pool of jails of one kind", true);
    add_pool_change(*pool, chosen, "set", "change a pool; jails of an earlier kind are replaced", false);
    auto names = std::make_shared<std::vector<std::string>>();
    auto* rm = pool->add_subcommand("rm", "remove pools with the jails that wait in them");
    rm->add_option("name", *names, "pools")->required();
    rm->callback([names, &chosen] { chosen = [names](Context& context) { return remove_pools(context, *names); }; });
}

}  // namespace jaild::cli
