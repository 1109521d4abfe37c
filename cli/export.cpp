#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/save.h"
#include "cli/table.h"
#include "core/base/unique_fd.h"

/// jaildctl export, import
namespace jaild::cli {
namespace {

using nlohmann::json;

struct ExportOptions {
    std::string jail;
    std::string snapshot;
    std::string file;
};

struct JailImportOptions {
    std::string file;
    std::string name;
    bool no_start = false;
    bool no_wait = false;
};

client::Request export_request(const ExportOptions& options) {
    const auto query = options.snapshot.empty() ? "" : "?snapshot=" + client::encode(options.snapshot);
    return {.target = jail_target(options.jail, "/export" + query)};
}

int export_jail(Context& context, const ExportOptions& options) {
    return save(context, export_request(options), options.file,
                {.what = "archive", .example = fmt::format("-f {}.jaild", printable(options.jail))});
}

int import_jail(Context& context, const JailImportOptions& options) {
    UniqueFd file;
    if (options.file != "-") {
        file.reset(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) {
            fmt::print(stderr, "jaildctl: {}: {}\n", printable(options.file), Error::from_errno("open", errno).detail);
            return kFailed;
        }
    } else if (::isatty(STDIN_FILENO) != 0) {
        fmt::print(stderr,
                   "jaildctl: standard input is a terminal: name a file, or pipe what `jaildctl export` writes\n");
        return kUsage;
    }
    std::string query;
    if (!options.name.empty()) query = "?name=" + client::encode(options.name);
    if (options.no_start) query += (query.empty() ? "?" : "&") + std::string("start=false");
    auto request = change(context, "POST", "/v1/import/jail" + query);
    request.upload = [from = file ? file.get() : STDIN_FILENO] { return read_piece(from); };
    int exit = kDone;
    const auto answer = call(context, request, exit);
    if (!answer) return exit;
    const auto made = json::parse(answer->body, nullptr, false);
    if (!made.is_object()) return kFailed;
    if (context.json) {
        print_json(made);
    } else if (answer->status == 202 && !options.no_start) {
        fmt::print("imported {}; it is being started (not waited for)\n", text(made, "name"));
    } else {
        fmt::print("imported {}\n", text(made, "name"));
    }
    return kDone;
}

}  // namespace

void add_export_commands(CLI::App& app, Command& chosen) {
    auto wanted = std::make_shared<ExportOptions>();
    auto* out = app.add_subcommand("export", "write a jail and its spec as one archive");
    out->footer(
        "Examples:\n"
        "  jaildctl export web | ssh other jaildctl import -\n"
        "  jaildctl export web -f web.jaild");
    out->add_option("name", wanted->jail, "a jail; it may run")->required();
    out->add_option("--snapshot", wanted->snapshot, "this snapshot of it, not what its root is now");
    out->add_option("-f,--file", wanted->file, "write to this file; else to standard output");
    out->callback([wanted, &chosen] { chosen = [wanted](Context& context) { return export_jail(context, *wanted); }; });

    auto asked = std::make_shared<JailImportOptions>();
    auto* in = app.add_subcommand("import", "make a jail of what export wrote");
    in->footer(
        "Examples:\n"
        "  jaildctl import web.jaild\n"
        "  jaildctl import web.jaild --name web2 --no-start");
    in->add_option("file", asked->file, "the archive; - is standard input")->required();
    in->add_option("--name", asked->name, "of the new jail; else the one that it had");
    in->add_flag("--no-start", asked->no_start, "do not start it, whatever its spec says");
    in->add_flag("--no-wait", asked->no_wait, "return when it is imported, before it has started");
    in->callback([asked, &chosen] {
        chosen = [asked](Context& context) {
            context.wait = !asked->no_wait;
            return import_jail(context, *asked);
        };
    });
}

}  // namespace jaild::cli
