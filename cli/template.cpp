#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/operation.h"
#include "cli/table.h"
#include "core/base/files.h"
#include "core/model/manifest.h"

/// jaildctl template ls|show|import|create|update|rm
namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kManifestBytes = 1 << 20;

struct ImportOptions {
    std::string name;
    std::vector<std::string> files;
    std::vector<std::string> checksums;
    std::string manifest;
    std::string description;
    std::vector<std::string> private_parts;
    bool no_wait = false;
};

struct TemplateCreateOptions {
    std::string name;
    std::string from;
    std::string description;
    std::vector<std::string> private_parts;
    bool no_wait = false;
};

struct TemplateUpdateOptions {
    std::string name;
    std::string to;
    std::string description;
    bool no_wait = false;
};

struct TemplateNames {
    std::vector<std::string> names;
    bool unused = false;
    bool dry_run = false;
};

std::string template_target(const std::string& name) {
    return "/v1/templates/" + client::encode(name);
}

int report_failed(const json& operation) {
    const auto problem = operation.value("problem", json());
    if (!problem.is_object()) {
        fmt::print(stderr, "jaildctl: it was cancelled\n");
        return kFailed;
    }
    fmt::print(stderr, "jaildctl: {} ({})\n", text(problem, "detail"), text(problem, "code"));
    if (const auto remedy = text(problem, "remedy"); !remedy.empty()) fmt::print(stderr, "  remedy: {}\n", remedy);
    return kFailed;
}

/// What was asked for is so: there is nothing newer.
int report_up_to_date(Context& context, const json& operation) {
    if (context.json)
        print_json(operation);
    else
        fmt::print("{}: no new version\n", text(operation.at("problem"), "detail"));
    return kDone;
}

/// What came of a template that was accepted. `verb`: "imported".
int finish_import(Context& context, const json& accepted, std::string_view verb) {
    const auto reference = text(accepted, "reference");
    if (!context.wait) {
        if (context.json)
            print_json(accepted);
        else
            fmt::print("{} is on its way (not waited for)\n", reference);
        return kDone;
    }
    int exit = kDone;
    const auto operation = wait_for_operation(context, accepted.value("operation", ""), exit);
    if (operation.is_null()) return exit;
    const auto problem = operation.value("problem", json());
    if (problem.is_object() && text(problem, "code") == "template_up_to_date")
        return report_up_to_date(context, operation);
    if (operation.value("state", "") != "succeeded") return report_failed(operation);
    const auto made = get(context, template_target(reference), exit);
    if (!made) return exit;
    for (const auto& step : operation.at("steps"))
        if (const auto said = printable(step.get<std::string>()); said.starts_with("not kept"))
            fmt::print(stderr, "jaildctl: {}\n", said);
    if (context.json)
        print_json(*made);
    else
        fmt::print("{} {}: {} entries, {}\n", verb, reference, made->value("entries", 0), size_text(made->at("bytes")));
    return kDone;
}

bool is_url(std::string_view text) {
    return text.starts_with("http://") || text.starts_with("https://");
}

/// Those of the MANIFEST, in the order of the archives; nothing, and a word about it, when it does not name them all.
std::optional<std::vector<std::string>> checksums_of_manifest(const ImportOptions& options) {
    const auto content = files::read(options.manifest, kManifestBytes);
    if (!content) {
        report(content.error());
        return std::nullopt;
    }
    const auto manifest = model::parse_manifest(*content);
    if (!manifest) {
        fmt::print(stderr, "jaildctl: {} is no MANIFEST of archives, or was cut short\n", printable(options.manifest));
        return std::nullopt;
    }
    std::vector<std::string> checksums;
    for (const auto& file : options.files) {
        // A URL's query is no part of the name.
        const auto name = is_url(file) ? file.substr(0, file.find('?')) : file;
        const auto known = manifest->find(std::filesystem::path(name).filename().string());
        if (known == manifest->end()) {
            fmt::print(stderr, "jaildctl: {} does not name {}\n", printable(options.manifest), printable(file));
            return std::nullopt;
        }
        checksums.push_back(known->second);
    }
    return checksums;
}

/// One for each archive, or none at all.
std::optional<std::vector<std::string>> checksums_of(const ImportOptions& options) {
    if (is_url(options.manifest)) return options.checksums;  // none: jaild reads it
    if (!options.manifest.empty()) return checksums_of_manifest(options);
    if (options.checksums.empty() || options.checksums.size() == options.files.size()) return options.checksums;
    fmt::print(stderr, "jaildctl: --sha256 is given {} times for {} archives\n", options.checksums.size(),
               options.files.size());
    return std::nullopt;
}

/// What the request says of every new template.
template <class Options>
json body_of(const Options& options) {
    const auto colon = options.name.find(':');
    json body{{"name", options.name.substr(0, colon)}};
    if (colon != std::string::npos) body["version"] = options.name.substr(colon + 1);
    if (!options.description.empty()) body["description"] = options.description;
    if (!options.private_parts.empty()) body["private"] = options.private_parts;
    return body;
}

std::string absolute(const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal().string();
}

int post_template(Context& context, const json& body, std::string_view verb,
                  const std::string& target = "/v1/templates") {
    int exit = kDone;
    auto text = body_text(body);
    const auto answer = call(context, {.method = "POST", .target = target, .body = std::move(text)}, exit);
    if (!answer) return exit;
    return finish_import(context, json::parse(answer->body), verb);
}

/// A path has a slash, a jail's name has none.
int create_template(Context& context, const TemplateCreateOptions& options) {
    auto body = body_of(options);
    auto from = options.from;
    const bool path = from.contains('/');
    if (path) from = absolute(from);
    while (path && from.size() > 1 && from.ends_with('/')) from.pop_back();
    body[path ? "directory" : "jail"] = from;
    return post_template(context, body, "created");
}

/// Standard input, which jaild takes as it comes.
int upload_one(Context& context, const ImportOptions& options) {
    auto target = template_target(options.name) + "/archive";
    char mark = '?';
    const auto add = [&](std::string_view key, const std::string& value) {
        target += fmt::format("{}{}={}", std::exchange(mark, '&'), key, client::encode(value));
    };
    if (!options.checksums.empty()) add("sha256", options.checksums.front());
    if (!options.description.empty()) add("description", options.description);
    for (const auto& part : options.private_parts) add("private", part);
    int exit = kDone;
    const auto answer =
        call(context,
             {.method = "POST", .target = std::move(target), .upload = [] { return read_piece(STDIN_FILENO); }}, exit);
    if (!answer) return exit;
    return finish_import(context, json::parse(answer->body), "imported");
}

int update_template(Context& context, const TemplateUpdateOptions& options) {
    json body = json::object();
    if (!options.to.empty()) body["version"] = options.to;
    if (!options.description.empty()) body["description"] = options.description;
    return post_template(context, body, "made", template_target(options.name) + "/update");
}

int import_one(Context& context, const ImportOptions& options) {
    if (std::ranges::find(options.files, "-") != options.files.end()) {
        if (options.files.size() == 1 && options.manifest.empty() && options.checksums.size() <= 1)
            return upload_one(context, options);
        fmt::print(stderr, "jaildctl: \"-\" is one archive, with one --sha256 at most\n");
        return kUsage;
    }
    auto body = body_of(options);
    body["sets"] = json::array();
    if (is_url(options.manifest)) body["manifest"] = options.manifest;
    const auto checksums = checksums_of(options);
    if (!checksums) return kUsage;
    for (std::size_t i = 0; i < options.files.size(); ++i) {
        const auto& file = options.files[i];
        auto set = is_url(file) ? json{{"url", file}} : json{{"file", absolute(file)}};
        if (!checksums->empty()) set["sha256"] = (*checksums)[i];
        body["sets"].push_back(std::move(set));
    }
    return post_template(context, body, "imported");
}

int list_templates(Context& context) {
    int exit = kDone;
    const auto answer = get(context, "/v1/templates", exit);
    if (!answer) return exit;
    if (context.json) {
        print_json(*answer);
        return kDone;
    }
    Table table({"TEMPLATE", "STATE", "LATEST", "ENTRIES", "SIZE", "JAILS", "AGE"});
    for (const auto& one : answer->at("items")) {
        const bool builtin = one.value("builtin", false);
        table.add({text(one, "reference"), text(one, "state"), one.value("latest", false) ? "yes" : "-",
                   builtin ? "-" : std::to_string(one.value("entries", std::uint64_t{0})), size_text(one.at("bytes")),
                   std::to_string(one.at("jails").size()), builtin ? "-" : age(text(one, "created_at"))});
    }
    fmt::print("{}", table.to_string());
    return kDone;
}

int show_template(Context& context, const std::string& name) {
    int exit = kDone;
    const auto found = get(context, template_target(name), exit);
    if (!found) return exit;
    print_json(*found);
    return kDone;
}

/// Those that are ready and that neither a jail nor a snapshot needs.
std::optional<std::vector<std::string>> unused_templates(Context& context, int& exit) {
    const auto answer = get(context, "/v1/templates", exit);
    if (!answer) return std::nullopt;
    std::vector<std::string> names;
    for (const auto& one : answer->at("items"))
        if (!one.value("builtin", false) && one.value("state", "") == "ready" && one.at("jails").empty() &&
            one.at("snapshots").empty())
            names.push_back(one.value("reference", ""));
    return names;
}

int remove_templates(Context& context, const TemplateNames& asked) {
    if (asked.unused == !asked.names.empty()) {
        fmt::print(stderr, "jaildctl: name templates, or say --unused\n");
        return kUsage;
    }
    int exit = kDone;
    auto names = asked.names;
    if (asked.unused) {
        auto unused = unused_templates(context, exit);
        if (!unused) return exit;
        names = *std::move(unused);
    }
    if (asked.dry_run) {
        if (context.json) print_json(json{{"unused", names}});
        if (!context.json)
            for (const auto& name : names) fmt::print("would remove {}\n", name);
        return kDone;
    }
    json answers = json::array();
    for (const auto& name : names) {
        json answer;
        const int code = apply(context, change(context, "DELETE", template_target(name)), "removing " + name,
                               "removed " + name, answer);
        if (exit == kDone) exit = code;
        if (code == kDone) answers.push_back(answer.is_null() ? json{{"removed", name}} : std::move(answer));
    }
    if (context.json && (names.size() != 1 || asked.unused))
        print_json(answers);
    else if (context.json && !answers.empty())
        print_json(answers.front());
    return exit;
}

void add_import(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<ImportOptions>();
    auto* sub = app.add_subcommand("import", "make a template of archives");
    sub->add_option("name", options->name, "NAME or NAME:VERSION; without, the next free number")->required();
    sub->add_option("file", options->files,
                    "archives: files of the daemon's host or http(s) URLs, unpacked one after the other; \"-\": "
                    "standard input")
        ->required();
    const auto repeated = [&](const char* flag, std::vector<std::string>& target, const char* description) {
        sub->add_option(flag, target, description)->expected(1)->take_all()->allow_extra_args(false);
    };
    repeated("--sha256", options->checksums, "what an archive must have, in their order");
    sub->add_option("--manifest", options->manifest, "file or URL with the checksums: a release's MANIFEST")
        ->excludes("--sha256");
    sub->add_option("--description", options->description, "for people");
    repeated("--private", options->private_parts, "a path that each thin root gets a copy of");
    sub->add_flag("--no-wait", options->no_wait, "return when it is written down");
    sub->callback([options, &chosen] {
        chosen = [options](Context& context) {
            context.wait = !options->no_wait;
            return import_one(context, *options);
        };
    });
}

void add_template_create(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<TemplateCreateOptions>();
    auto* sub = app.add_subcommand("create", "make a template of a jail or of a directory");
    sub->add_option("name", options->name, "NAME or NAME:VERSION; without, the next free number")->required();
    sub->add_option("--from", options->from, "a stopped jail, or a directory of the daemon's host: a path has a \"/\"")
        ->required();
    sub->add_option("--description", options->description, "for people");
    sub->add_option("--private", options->private_parts, "a path that each thin root gets a copy of")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    sub->add_flag("--no-wait", options->no_wait, "return when it is written down");
    sub->callback([options, &chosen] {
        chosen = [options](Context& context) {
            context.wait = !options->no_wait;
            return create_template(context, *options);
        };
    });
}

void add_template_update(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<TemplateUpdateOptions>();
    auto* sub = app.add_subcommand("update", "make a new version of a template by the system's updater");
    sub->add_option("name", options->name, "NAME for its latest version, or NAME:VERSION; it stays as it is")
        ->required();
    sub->add_option("--to", options->to, "the new version; without, the next free number");
    sub->add_option("--description", options->description, "for people; without, as it was");
    sub->add_flag("--no-wait", options->no_wait, "return when it is written down");
    sub->footer("Example:\n  jaildctl template update freebsd:14.2-p1 --to 14.2-p3");
    sub->callback([options, &chosen] {
        chosen = [options](Context& context) {
            context.wait = !options->no_wait;
            return update_template(context, *options);
        };
    });
}

}  // namespace

void add_template_commands(CLI::App& app, Command& chosen) {
    auto* templates = app.add_subcommand("template", "templates: ls, show, import, create, update, rm");
    templates->require_subcommand(1);
    auto* ls = templates->add_subcommand("ls", "list templates");
    ls->callback([&chosen] { chosen = [](Context& context) { return list_templates(context); }; });
    auto name = std::make_shared<std::string>();
    auto* show = templates->add_subcommand("show", "everything about a template, as JSON");
    show->add_option("name", *name, "NAME for its latest version, or NAME:VERSION")->required();
    show->callback([name, &chosen] { chosen = [name](Context& context) { return show_template(context, *name); }; });
    add_import(*templates, chosen);
    add_template_create(*templates, chosen);
    add_template_update(*templates, chosen);
    auto names = std::make_shared<TemplateNames>();
    auto* rm = templates->add_subcommand("rm", "remove templates that no jail is made from");
    rm->add_option("name", names->names, "NAME:VERSION");
    auto* unused = rm->add_flag("--unused", names->unused, "all that neither a jail nor a snapshot needs");
    rm->add_flag("--dry-run", names->dry_run, "say which, remove nothing")->needs(unused);
    rm->callback(
        [names, &chosen] { chosen = [names](Context& context) { return remove_templates(context, *names); }; });
}

}  // namespace jaild::cli
