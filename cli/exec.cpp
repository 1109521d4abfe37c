#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/exec_session.h"
#include "cli/input.h"
#include "cli/terminal.h"
#include "core/base/base64.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr int kMaxTimeout = 3600;                       // seconds; the API's own limit
constexpr std::size_t kOutputLimit = 16 * 1024 * 1024;  // bytes of each stream; the API's own limit
/// Bytes. Base64 makes 960 KiB of it; a request's body holds 1 MiB, its command and environment included.
constexpr std::size_t kInputLimit = 720 * 1024;

struct ExecOptions {
    std::string name;
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string user;
    std::string directory;
    int timeout = 0;  ///< 0: none was given
    bool input = false;
    bool terminal = false;
};

std::string output_of(const json& answer, const char* name) {
    auto text = answer.at(name).get<std::string>();
    if (answer.value(std::string(name) + "_encoding", "utf-8") == "base64") text = base64_decode(text).value_or(text);
    return text;
}

/// Standard input to its end; nothing, and said, when that is more than a request may carry.
std::optional<std::string> read_input() {
    auto input = read_standard_input(kInputLimit);
    if (input) return *std::move(input);
    if (input.error().code == Errc::exhausted) {
        fmt::print(stderr,
                   "jaildctl: {}, which is all that exec hands over\n"
                   "  remedy: hand it over as a file: write it beneath the jail's root, or split it\n",
                   input.error().detail);
    } else {
        fmt::print(stderr, "jaildctl: standard input cannot be read\n");
    }
    return std::nullopt;
}

int exec(Context& context, const ExecOptions& options) {
    json body{{"argv", options.argv}};
    if (!options.user.empty()) body["user"] = options.user;
    if (!options.directory.empty()) body["directory"] = options.directory;
    for (const auto& text : options.environment) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            fmt::print(stderr, "jaildctl: --env \"{}\" is not NAME=VALUE\n", text);
            return kUsage;
        }
        body["env"][text.substr(0, equals)] = text.substr(equals + 1);
    }
    if (options.input && options.terminal && ::isatty(STDIN_FILENO) != 0) {
        SignalListener signals;
        return run_session(context, options.name, std::move(body),
                           {.input = true, .terminal = true, .timeout = std::chrono::seconds(options.timeout)},
                           signals);
    }
    const int timeout = options.timeout == 0 ? kMaxTimeout : options.timeout;
    body["timeout"] = timeout;
    body["output_limit"] = kOutputLimit;
    if (options.terminal) add_terminal(body);
    if (options.input) {
        const auto input = read_input();
        if (!input) return kUsage;
        body["stdin"] = base64_encode(*input);
        body["stdin_encoding"] = "base64";
    }
    client::Request request{.method = "POST",
                            .target = jail_target(options.name, "/exec"),
                            .body = body_text(body),
                            .timeout = std::chrono::seconds(timeout + 30)};
    int exit = kDone;
    const auto response = call(context, request, exit);
    if (!response) return exit;
    const auto answer = json::parse(response->body);
    if (context.json) {
        print_json(answer);
    } else {
        write_out(output_of(answer, "stdout"));
        const auto errors = output_of(answer, "stderr");
        std::fwrite(errors.data(), 1, errors.size(), stderr);
    }
    if (answer.value("stdout_truncated", false) || answer.value("stderr_truncated", false))
        fmt::print(stderr, "jaildctl: there was more output than jaild keeps (at most {} MiB of each stream)\n",
                   kOutputLimit / (1024 * 1024));
    if (answer.value("timed_out", false)) fmt::print(stderr, "jaildctl: killed after {} s\n", timeout);
    return answer.at("exit_code").get<int>();
}

}  // namespace

void add_exec_command(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<ExecOptions>();
    auto* sub = app.add_subcommand("exec", "run a command in a running jail; its exit code is ours");
    sub->footer(
        "Examples:\n"
        "  jaildctl exec web ls -l /\n"
        "  jaildctl exec --user nobody --env LANG=C web /bin/sh -c 'echo $LANG'\n"
        "  jaildctl exec web -i -- /bin/sh < script\n"
        "  jaildctl exec -t web ls /\n"
        "  jaildctl exec -it web /bin/sh");
    sub->add_option("name", options->name, "a running jail")->required();
    sub->add_option("command", options->argv, "COMMAND..., all that follows is its own; -- before it is allowed")
        ->required();
    sub->add_option("--env", options->environment, "NAME=VALUE")->expected(1)->take_all()->allow_extra_args(false);
    sub->add_option("--user", options->user, "name or number in the jail's passwd (the spec's exec.user)");
    sub->add_option("--directory", options->directory, "working directory in the jail (the spec's exec.directory)");
    sub->add_option("--timeout", options->timeout, "seconds, then it is killed")->check(CLI::Range(1, kMaxTimeout));
    sub->add_flag("-i,--stdin", options->input, "hand our standard input to it, to its end; up to 720 KiB");
    sub->add_flag("-t,--terminal", options->terminal,
                  "give it a terminal, as wide as ours; with -i at a terminal of ours a shell to type at, else what it "
                  "writes is printed when it has ended");
    sub->callback([options, &chosen] { chosen = [options](Context& context) { return exec(context, *options); }; });
}

}  // namespace jaild::cli
