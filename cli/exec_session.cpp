#include "cli/exec_session.h"

#include <fmt/format.h>

#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "api/client/exec_stream.h"
#include "cli/terminal.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

int exit_of(const client::Response& problem) {
    report(problem);
    const auto body = json::parse(problem.body, nullptr, false);
    const auto code = body.is_object() ? body.value("code", "") : std::string();
    if (code == "program_not_found") return kNotFound;
    return code == "program_not_executable" ? kNotExecutable : kNotRun;
}

}  // namespace

int run_session(Context& context, const std::string& jail, json order, const SessionOptions& options,
                SignalListener& signals) {
    order["stdin"] = options.input;
    if (options.terminal) add_terminal(order);
    client::ExecStream stream(context.client.endpoint(), context.client.token(),
                              {.target = jail_target(jail, "/exec"),
                               .order = body_text(order),
                               .input = options.input,
                               .timeout = options.timeout});
    signals.hand_to([&](int signal) {
        if (signal != SIGWINCH) return stream.signal(std::string(signal_name(signal)));
        const auto size = terminal_size();
        if (options.terminal && !size.empty()) stream.resize(size["rows"], size["columns"]);
    });
    const auto end = [&] {
        const auto raw = options.terminal && options.input ? std::make_unique<RawTerminal>() : nullptr;
        return stream.run();
    }();
    signals.hand_to({});
    if (!end) {
        report(end.error());
        return kNotRun;
    }
    if (end->problem) return exit_of(*end->problem);
    if (!end->timed_out) return end->exit_code;
    fmt::print(stderr, "jaildctl: ended after {} s\n", options.timeout.count() / 1000);
    return kTimedOut;
}

}  // namespace jaild::cli
