#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "cli/spec/values.h"
#include "cli/table.h"

/// jaildctl wait
namespace jaild::cli {
namespace {

using nlohmann::json;
using Time = std::chrono::steady_clock::time_point;

constexpr Milliseconds kPause{200};

struct WaitOptions {
    std::vector<std::string> names;
    std::string timeout = "2m";
};

/// What keeps a jail from being as its spec asks; empty: nothing.
std::string missing(const json& jail) {
    const auto& status = jail.at("status");
    const auto state = text(status, "state");
    const std::string wanted = jail.at("spec").value("running", true) ? "running" : "stopped";
    if (state != wanted) {
        for (const auto& condition : status.value("conditions", json::array()))
            if (text(condition, "type") == "Ready" && !condition.value("status", true))
                return state + ": " + text(condition, "message");
        return state;
    }
    const auto health = status.find("health");
    if (wanted == "stopped" || health == status.end() || !health->is_object()) return {};
    const auto how = text(*health, "state");
    return how == "healthy" ? "" : state + ", " + how;
}

/// Waits for all that is asked, until a time.
class Waiting {
public:
    Waiting(Context& context, const WaitOptions& options, Time until)
        : context_(context), names_(options.names), until_(until) {}

    int run() {
        for (;;) {
            auto done = names_.empty() ? look_at_all() : look_at_named();
            if (done && left_.empty()) return kDone;
            if (std::chrono::steady_clock::now() + kPause >= until_) return give_up(done);
            // Nobody listens yet, or has looked at everything yet: at boot that passes.
            const bool passes = done || done.error().reason == "no_daemon" || done.error().reason == "not_ready";
            if (!passes) return tell(done.error());
            std::this_thread::sleep_for(kPause);
        }
    }

private:
    Result<json> ask(const std::string& target) {
        // A daemon that hangs holds nobody up for longer than was asked: a boot waits, say.
        const auto left = std::chrono::duration_cast<Milliseconds>(until_ - std::chrono::steady_clock::now());
        auto answer = context_.client.send({.target = target, .timeout = std::max(left, kPause)});
        if (!answer) return std::unexpected(answer.error());
        if (answer->status == 200) return json::parse(answer->body);
        if (target == "/readyz")
            return std::unexpected(Error{.code = Errc::busy,
                                         .op = "wait",
                                         .detail = "jaild has not looked at all jails yet",
                                         .reason = "not_ready"});
        refused_ = *std::move(answer);
        return std::unexpected(Error{.code = Errc::invalid, .op = "wait", .reason = "refused"});
    }

    [[nodiscard]] int tell(const Error& error) const { return refused_ ? report(*refused_) : report(error); }

    void judge(const json& jail) {
        if (auto what = missing(jail); !what.empty()) left_.push_back({text(jail, "name"), std::move(what)});
    }

    Result<void> look_at_all() {
        left_.clear();
        if (auto ready = ask("/readyz"); !ready) return std::unexpected(ready.error());
        std::string cursor;
        do {
            auto page = ask("/v1/jails?limit=1000" + (cursor.empty() ? "" : "&cursor=" + cursor));
            if (!page) return std::unexpected(page.error());
            for (const auto& jail : page->at("items")) judge(jail);
            cursor = page->value("next", "");
        } while (!cursor.empty());
        return {};
    }

    Result<void> look_at_named() {
        left_.clear();
        for (const auto& name : names_) {
            auto jail = ask(jail_target(name));
            if (!jail) return std::unexpected(jail.error());
            judge(*jail);
        }
        return {};
    }

    int give_up(const Result<void>& done) {
        if (!done) return tell(done.error());
        for (const auto& [name, what] : left_) fmt::print(stderr, "jaildctl: {} is {}\n", name, what);
        return kFailed;
    }

    struct Left {
        std::string name;
        std::string what;
    };
    Context& context_;
    const std::vector<std::string>& names_;
    const Time until_;
    std::vector<Left> left_;
    std::optional<client::Response> refused_{};  ///< why it cannot go on
};

int wait(Context& context, const WaitOptions& options) {
    const auto begun = std::chrono::steady_clock::now();
    const auto seconds = seconds_of(options.timeout);
    if (!seconds) {
        fmt::print(stderr, "jaildctl: --timeout is no time: 90, 10m, 2h\n");
        return kUsage;
    }
    return Waiting(context, options, begun + std::chrono::seconds(*seconds)).run();
}

}  // namespace

void add_wait_command(CLI::App& app, Command& chosen) {
    auto options = std::make_shared<WaitOptions>();
    auto* sub = app.add_subcommand("wait", "until jails are as their specs ask, and healthy");
    sub->add_option("name", options->names, "jails; without any all of them, and jaild itself");
    sub->add_option("--timeout", options->timeout, "no longer than that: 30, 90s, 10m")->capture_default_str();
    sub->footer(
        "A jail that should run has to run and, if it has a probe, to be healthy; one that should not has to be "
        "stopped.\n"
        "Examples:\n"
        "  jaildctl wait                      at boot, before what needs them\n"
        "  jaildctl wait db --timeout 30s     with exit code 1 and the reason if it has not come up by then");
    sub->callback([options, &chosen] { chosen = [options](Context& context) { return wait(context, *options); }; });
}

}  // namespace jaild::cli
