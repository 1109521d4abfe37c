#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "core/base/files.h"

/// jaildctl: speaks only the HTTP API.
namespace jaild::cli {
namespace {

constexpr std::size_t kMaxToken = 4096;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

Result<client::Endpoint> choose_endpoint(const std::string& option) {
    const auto text = option.empty() ? environment("JAILD_HOST") : option;
    return text.empty() ? client::Endpoint::usual() : client::Endpoint::parse(text);
}

Result<std::string> choose_token(const std::string& file) {
    if (file.empty()) return environment("JAILD_TOKEN");
    auto token = files::read(file, kMaxToken);
    while (token && !token->empty() && (token->back() == '\n' || token->back() == '\r')) token->pop_back();
    return token;
}

/// Parses; an exit code when that is all that was to be done.
std::optional<int> parse(CLI::App& app, std::vector<std::string> arguments) {
    try {
        auto marked = mark_command(app, arguments);
        std::reverse(marked.begin(), marked.end());  // as CLI11 wants it
        app.parse(std::move(marked));
        return std::nullopt;
    } catch (const CLI::ParseError& error) {
        const auto unknown = error.get_exit_code() == 0 ? std::string() : unknown_command(app, arguments);
        if (unknown.empty()) return app.exit(error) == 0 ? kDone : kUsage;
        fmt::print(stderr, "jaildctl: {}\n", unknown);
        return kUsage;
    }
}

int main(int argc, char** argv) {
    CLI::App app{"jaildctl tells jaild which jails should be, and shows which are.", "jaildctl"};
    app.set_version_flag("--version", fmt::format("jaildctl {}", JAILD_VERSION));
    app.require_subcommand(1);
    app.fallthrough();
    app.footer(
        "Examples:\n"
        "  jaildctl create web                     a running jail with an address of its own\n"
        "  jaildctl exec web -- id                 run a command in it\n"
        "  jaildctl run --rm -- make check         in a jail of its own, which is gone afterwards\n"
        "  jaildctl why web                        what is wrong with it, in one place\n"
        "  jaildctl -o json ls                     for programs\n"
        "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon; exec and run pass the command's on.");
    std::string host;
    std::string output = "table";
    std::string token_file;
    app.add_option("--host", host, "unix:///path or http://127.0.0.1:PORT; else JAILD_HOST, else the default socket");
    app.add_option("--token-file", token_file, "file with the bearer token; else JAILD_TOKEN");
    app.add_option("-o,--output", output, "table or json")->check(CLI::IsMember({"table", "json"}));

    Command chosen;
    add_lifecycle_commands(app, chosen);
    add_look_commands(app, chosen);
    add_exec_command(app, chosen);
    add_run_command(app, chosen);
    add_pool_commands(app, chosen);
    add_stream_commands(app, chosen);
    add_stats_commands(app, chosen);
    add_process_commands(app, chosen);
    add_network_commands(app, chosen);
    add_template_commands(app, chosen);
    add_snapshot_commands(app, chosen);
    add_upgrade_commands(app, chosen);
    add_export_commands(app, chosen);
    add_wait_command(app, chosen);
    add_backup_command(app, chosen);
    add_doctor_command(app, chosen);
    std::signal(SIGPIPE, SIG_IGN);
    if (const auto exit = parse(app, {argv + 1, argv + argc})) return finish_output(*exit);
    auto endpoint = choose_endpoint(host);
    if (!endpoint) return report(endpoint.error());
    auto token = choose_token(token_file);
    if (!token) return report(token.error());
    Context context{.client = client::Client(*std::move(endpoint), *std::move(token)), .json = output == "json"};
    return finish_output(chosen(context));
}

}  // namespace
}  // namespace jaild::cli

int main(int argc, char** argv) {
    try {
        return jaild::cli::main(argc, argv);
    } catch (const std::exception& error) {
        const auto* broken = dynamic_cast<const std::system_error*>(&error);
        // fmt throws when standard output takes no more; a reader that has seen enough needs no word about it.
        if (broken == nullptr || broken->code() != std::errc::broken_pipe)
            fmt::print(stderr, "jaildctl: {}\n", error.what());
        return jaild::cli::kFailed;
    }
}
