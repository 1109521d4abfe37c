#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "core/base/base64.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr int kMaxTimeout = 3600;                       // seconds; the API's own limit
constexpr std::size_t kOutputLimit = 16 * 1024 * 1024;  // bytes of each stream; the API's own limit

struct ExecOptions {
    std::string name;
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string user;
    std::string directory;
    int timeout = kMaxTimeout;
    bool input = false;
};

void write_stream(const json& answer, const char* name, std::FILE* to) {
    auto text = answer.at(name).get<std::string>();
    if (answer.value(std::string(name) + "_encoding", "utf-8") == "base64") text = base64_decode(text).value_or(text);
    std::fwrite(text.data(), 1, text.size(), to);
    std::fflush(to);
}

int exec(Context& context, const ExecOptions& options) {
    json body{{"argv", options.argv}, {"timeout", options.timeout}, {"output_limit", kOutputLimit}};
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
    if (options.input) {
        const std::string input{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
        body["stdin"] = base64_encode(input);
        body["stdin_encoding"] = "base64";
    }
    client::Request request{.method = "POST",
                            .target = jail_target(options.name, "/exec"),
                            .body = body.dump(-1, ' ', false, json::error_handler_t::replace),
                            .timeout = std::chrono::seconds(options.timeout + 30)};
    int exit = kDone;
    const auto response = call(context, request, exit);
    if (!response) return exit;
    const auto answer = json::parse(response->body);
    if (context.json) {
        print_json(answer);
    } else {
        write_stream(answer, "stdout", stdout);
        write_stream(answer, "stderr", stderr);
    }
    if (answer.value("stdout_truncated", false) || answer.value("stderr_truncated", false))
        fmt::print(stderr, "jaildctl: output beyond {} bytes was dropped\n", kOutputLimit);
    if (answer.value("timed_out", false)) fmt::print(stderr, "jaildctl: killed after {} s\n", options.timeout);
    return answer.at("exit_code").get<int>();
}

}  // namespace

void add_exec_command(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<ExecOptions>();
    auto* sub = app.add_subcommand("exec", "run a command in a running jail; its exit code is ours");
    sub->footer(
        "Examples:\n"
        "  jaildctl exec web -- id\n"
        "  jaildctl exec web --user nobody --env LANG=C -- /bin/sh -c 'echo $LANG'\n"
        "  jaildctl exec web -i -- /bin/sh < script");
    sub->add_option("name", options->name, "a running jail")->required();
    sub->add_option("command", options->argv, "-- COMMAND...")->required();
    sub->add_option("--env", options->environment, "NAME=VALUE")->expected(1)->take_all()->allow_extra_args(false);
    sub->add_option("--user", options->user, "name or number in the jail's passwd (the spec's exec.user)");
    sub->add_option("--directory", options->directory, "working directory in the jail (the spec's exec.directory)");
    sub->add_option("--timeout", options->timeout, "seconds, then it is killed")->check(CLI::Range(1, kMaxTimeout));
    sub->add_flag("-i,--stdin", options->input, "hand our standard input to it");
    sub->callback([options, &chosen] { chosen = [options](Context& context) { return exec(context, *options); }; });
}

}  // namespace jaild::cli
