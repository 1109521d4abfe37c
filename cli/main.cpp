#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>

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

int main(int argc, char** argv) {
    CLI::App app{"jaildctl tells jaild which jails should be, and shows which are."};
    app.set_version_flag("--version", fmt::format("jaildctl {}", JAILD_VERSION));
    app.require_subcommand(1);
    app.fallthrough();
    app.footer(
        "Examples:\n"
        "  jaildctl create web                     a running jail with an address of its own\n"
        "  jaildctl exec web -- id                 run a command in it\n"
        "  jaildctl why web                        what is wrong with it, in one place\n"
        "  jaildctl -o json ls                     for programs\n"
        "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon; exec passes the command's on.");
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
    add_stream_commands(app, chosen);
    add_doctor_command(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kDone : kUsage;
    }
    std::signal(SIGPIPE, SIG_IGN);
    auto endpoint = choose_endpoint(host);
    if (!endpoint) return report(endpoint.error());
    auto token = choose_token(token_file);
    if (!token) return report(token.error());
    Context context{.client = client::Client(*std::move(endpoint), *std::move(token)), .json = output == "json"};
    return chosen(context);
}

}  // namespace
}  // namespace jaild::cli

int main(int argc, char** argv) {
    try {
        return jaild::cli::main(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "jaildctl: {}\n", error.what());
        return jaild::cli::kFailed;
    }
}
