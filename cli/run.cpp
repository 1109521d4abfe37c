#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/commands.h"
#include "cli/create_options.h"
#include "cli/exec_session.h"
#include "cli/signals.h"
#include "cli/spec/values.h"
#include "core/base/ids.h"
#include "core/base/random.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kDeleteAgain{50};

struct RunOptions {
    CreateOptions create;
    std::string timeout;
    bool remove = false;
    bool input = false;
    bool terminal = false;
    bool detach = false;
    bool verbose = false;
    std::string pool;
};

std::string generated_name() {
    return "run-" + to_base36(random_below(2'821'109'907'456ULL));  // 36^8
}

/// What the jail is made and given up by.
class RunJail {
public:
    RunJail(Context& context, std::string name, json spec)
        : context_(context), name_(std::move(name)), spec_(std::move(spec)) {}

    [[nodiscard]] const std::string& name() const { return name_; }

    /// One of a pool's, or a new one of the same kind, which jaild names.
    int take(const std::string& pool, bool verbose) {
        context_.wait = true;
        const auto taken =
            context_.client.send(change(context_, "POST", "/v1/pools/" + client::encode(pool) + "/take"));
        if (!taken) return report(taken.error()), kNotRun;
        const auto jail = json::parse(taken->body, nullptr, false);
        if (taken->status / 100 != 2 || !jail.is_object()) return report(*taken), kNotRun;
        name_ = text(jail, "name");
        if (verbose)
            fmt::print(stderr, "jaildctl: {} {}\n", taken->status == 200 ? "took jail" : "none was ready; made jail",
                       name_);
        return kDone;
    }

    /// kDone when it runs. A signal meanwhile: it is gone again.
    int make(SignalListener& signals) {
        signals.hand_to([this](int signal) { interrupt(signal); });
        context_.wait = true;
        const auto made = context_.client.send(change(context_, "POST", "/v1/jails", body_text(spec_)));
        done_ = true;
        signals.hand_to({});
        if (signal_ != 0) return give_up();
        if (!made) return report(made.error()), kNotRun;
        if (made->status == 202) {
            fmt::print(stderr, "jaildctl: {} does not come up within {} s; see: jaildctl why {}\n", name_, kWaitSeconds,
                       name_);
            return kNotRun;
        }
        if (made->status / 100 == 2) return kDone;
        report(*made);
        // What was accepted and did not come up is there still.
        if (json::parse(made->body, nullptr, false).contains("operation")) (void)remove(context_.client, true);
        return kNotRun;
    }

    /// False, and said: it is there still.
    bool remove(client::Client& client, bool wait) const {
        client::Request request{.method = "DELETE", .target = jail_target(name_, "?force=true")};
        if (wait) request.headers.emplace_back("Prefer", fmt::format("wait={}", kWaitSeconds));
        const auto removed = client.send(request);
        if (removed && (removed->status / 100 == 2 || removed->status == 404)) return true;
        if (removed)
            report(*removed);
        else
            report(removed.error());
        fmt::print(stderr, "jaildctl: {} is there still; remove it: jaildctl rm -f {}\n", name_, name_);
        return false;
    }

    void stop() {
        const auto stopped =
            context_.client.send(change(context_, "PATCH", jail_target(name_), json{{"running", false}}.dump()));
        if (!stopped)
            report(stopped.error());
        else if (stopped->status / 100 != 2)
            report(*stopped);
    }

private:
    /// On the thread of signals: ends what the other one waits for.
    void interrupt(int signal) {
        if (signal == SIGWINCH || signal == SIGUSR1 || signal == SIGUSR2) return;
        signal_ = signal;
        client::Client client(context_.client.endpoint(), context_.client.token());
        while (!done_) {
            const auto gone = client.send(
                {.method = "DELETE", .target = jail_target(name_, "?force=true"), .timeout = Milliseconds{30'000}});
            if (!gone || gone->status / 100 == 2) return;
            std::this_thread::sleep_for(kDeleteAgain);  // it was not written down yet
        }
    }

    int give_up() {
        (void)remove(context_.client, true);
        return kBySignal + signal_;
    }

    Context& context_;
    std::string name_;
    json spec_;
    std::atomic<bool> done_ = false;
    std::atomic<int> signal_ = 0;
};

int run(Context& context, const RunOptions& options) {
    if (context.json && !options.detach) {
        fmt::print(stderr,
                   "jaildctl: what the command writes is the output: there is no -o json for it, but with -d\n");
        return kUsage;
    }
    Milliseconds timeout{0};
    if (!options.timeout.empty()) {
        const auto seconds = seconds_of(options.timeout);
        if (!seconds || options.detach) {
            fmt::print(stderr, "jaildctl: --timeout {}\n",
                       seconds ? "is for a command that is waited for: with -d, use --ttl" : "is no time: 90, 10m, 2h");
            return kUsage;
        }
        timeout = std::chrono::seconds(*seconds);
    }
    auto create = options.create;
    if (!options.pool.empty()) {
        auto bare = create;
        bare.command.clear();
        const auto asked = spec_of(bare);
        if (!asked) return kUsage;
        if (asked->size() > 1 || !create.name.empty() || options.detach || !options.remove) {
            fmt::print(stderr,
                       "jaildctl: a jail of a pool is as the pool says, and used once: with --pool, --rm and no option "
                       "about the jail\n");
            return kUsage;
        }
    }
    const bool named = !create.name.empty();
    if (!named) create.name = generated_name();
    if (!options.detach) create.command.clear();
    create.ephemeral = options.remove;
    auto spec = spec_of(create);
    if (!spec) return kUsage;

    SignalListener signals;
    RunJail jail(context, create.name, *std::move(spec));
    const int failed = options.pool.empty() ? jail.make(signals) : jail.take(options.pool, options.verbose);
    if (failed != kDone) return failed;
    if (options.verbose && options.pool.empty()) fmt::print(stderr, "jaildctl: made jail {}\n", jail.name());
    if (options.detach) {
        if (context.json)
            print_json({{"name", create.name}});
        else
            fmt::print("{}\n", create.name);
        return kDone;
    }
    const SessionOptions session{.input = options.input, .terminal = options.terminal, .timeout = timeout};
    const int exit = run_session(context, jail.name(), {{"argv", options.create.command}}, session, signals);
    // A name of its own is nobody's to wait for.
    if (options.remove)
        (void)jail.remove(context.client, named);
    else
        jail.stop();
    return exit;
}

}  // namespace

void add_run_command(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<RunOptions>();
    auto* sub = app.add_subcommand("run", "run a command in a new jail; its exit code is ours");
    sub->footer(
        "Examples:\n"
        "  jaildctl run --rm -- uname -a\n"
        "  jaildctl run --rm --network none --limit memoryuse=512M --timeout 10m -- make check\n"
        "  jaildctl run --rm -it -- /bin/sh\n"
        "  jaildctl run --rm -i -- /bin/sh < script\n"
        "  jaildctl run --rm --pool ci -- make check\n"
        "  jaildctl run -d --rm --name job --ttl 1h -- /usr/local/bin/job\n"
        "Exit codes: the command's; 124 after --timeout, 125 no jail, 126 not executable, 127 not found, 128 and the\n"
        "number of a signal that ended it.");
    sub->add_flag("--rm", options->remove, "remove the jail when the command has ended; else it stays, stopped");
    sub->add_option("--name", options->create.name, "of the jail (run- and eight letters and digits)");
    add_spec_options(*sub, options->create);
    sub->add_option("--workdir", options->create.directory, "working directory in the jail (/)");
    sub->add_flag("-i,--stdin", options->input, "our standard input is the command's");
    sub->add_flag("-t,--terminal", options->terminal, "give it a terminal; with -i what is typed at ours goes there");
    sub->add_option("--timeout", options->timeout, "then SIGTERM, 10 s later SIGKILL; exit code 124: 90, 10m, 2h");
    sub->add_option("--pool", options->pool,
                    "with --rm: in a jail that is ready in this pool; else in a new one like it");
    sub->add_flag("-v,--verbose", options->verbose, "say which jail it is");
    sub->add_flag("-d,--detach", options->detach, "the command is the jail's own; print its name, do not wait for it");
    sub->add_option("-f,--file", options->create.file, "spec as JSON; options override it; - is standard input");
    sub->add_option("command", options->create.command, "COMMAND..., all that follows is its own")->required();
    sub->callback([options, &chosen] { chosen = [options](Context& context) { return run(context, *options); }; });
}

}  // namespace jaild::cli
