#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/commands.h"
#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

/// How long `events -f` looks for a daemon that went away, and how often.
constexpr std::chrono::seconds kPatience{15};
constexpr std::chrono::milliseconds kAgain{250};

struct LogOptions {
    std::string name;
    int tail = -1;
    bool follow = false;
    bool timestamps = false;
};

/// What a log that was followed ended for: the jail's own end is the end; the daemon's is not.
int end_of_log(Context& context, const std::string& name) {
    const auto jail = context.client.send({.target = jail_target(name)});
    if (!jail) return report(jail.error());
    const auto value = json::parse(jail->body, nullptr, false);
    if (jail->status == 404) return kDone;
    if (jail->status != 200 || !value.is_object()) return report(*jail);
    const auto state = text(value.at("status"), "state");
    if (state == "stopped" || state == "failed" || state == "dying") return kDone;
    fmt::print(stderr, "jaildctl: jaild went away and is back; {} is {}, and its log goes on: ask again\n", name,
               state);
    return kNoDaemon;
}

int logs(Context& context, const LogOptions& options) {
    if (context.json) {
        fmt::print(stderr, "jaildctl: a log is text as its programs wrote it: there is no -o json for it\n");
        return kUsage;
    }
    std::string query = fmt::format("?follow={}&timestamps={}", options.follow, options.timestamps);
    if (options.tail >= 0) query += fmt::format("&tail={}", options.tail);
    bool begun = false;
    bool written = true;
    const auto response =
        context.client.stream({.target = jail_target(options.name, "/logs" + query)}, [&](std::string_view data) {
            begun = true;
            return written = write_out(data);
        });
    if (!written) return kFailed;
    if (response && response->status / 100 != 2) return report(*response);
    if (options.follow && (response || begun)) return end_of_log(context, options.name);
    return response ? kDone : report(response.error());
}

struct EventOptions {
    std::string jail;
    int last = 50;
    bool follow = false;
};

bool print_event(const json& event, bool as_json) {
    if (as_json) return write_out(event.dump() + '\n');
    const auto jail = text(event, "jail");  // null: the event is of no jail, or of one that is gone
    return write_out(fmt::format("{}  {:<20}  {:<16}  {}\n", text(event, "at"), text(event, "type"),
                                 jail.empty() ? "-" : jail, printable(event.at("data").dump())));
}

/// The `data:` lines of a text/event-stream, put together again over the borders of what is read at a time.
class EventStream {
public:
    /// `last`: the number of the newest event before the stream.
    EventStream(bool as_json, std::int64_t last) : json_(as_json), last_(last) {}

    /// False when standard output takes no more.
    bool feed(std::string_view data) {
        rest_ += data;
        for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
            line(rest_.substr(0, end));
            rest_.erase(0, end + 1);
        }
        return good_;
    }
    /// A new connection, which begins after last(): half a line of the old one is dropped.
    void begin_anew() { rest_.clear(); }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] std::int64_t last() const { return last_; }

private:
    void line(std::string_view text) {
        constexpr std::string_view field = "data:";
        if (!text.starts_with(field)) return;
        const auto event = json::parse(text.substr(field.size()), nullptr, false);
        if (!event.is_object()) return;
        last_ = event.value("seq", last_);
        good_ = good_ && print_event(event, json_);
    }

    bool json_;
    bool good_ = true;
    std::int64_t last_;
    std::string rest_;
};

/// Until standard output takes no more, or no daemon came back within kPatience.
int follow_events(Context& context, const std::string& jail) {
    int exit = kDone;
    const auto newest = get(context, "/v1/events?follow=false&limit=1", exit);
    if (!newest) return exit;
    const auto& items = newest->at("items");
    EventStream printer(context.json, items.empty() ? 0 : items.back().value("seq", std::int64_t{0}));
    auto lost = std::chrono::steady_clock::now();
    while (true) {
        bool begun = false;
        const auto response = context.client.stream(
            {.target = "/v1/events?follow=true" + jail, .headers = {{"Last-Event-ID", std::to_string(printer.last())}}},
            [&](std::string_view data) {
                begun = true;
                return printer.feed(data);
            });
        if (!printer.good()) return kFailed;
        if (response && response->status / 100 != 2 && response->status != 503) return report(*response);
        printer.begin_anew();
        const auto now = std::chrono::steady_clock::now();
        if (begun) lost = now;
        if (now - lost > kPatience) return response ? report(*response) : report(response.error());
        std::this_thread::sleep_for(kAgain);
    }
}

int events(Context& context, const EventOptions& options) {
    const auto jail = options.jail.empty() ? "" : "&jail=" + client::encode(options.jail);
    if (options.follow) return follow_events(context, jail);
    int exit = kDone;
    const auto page = get(context, fmt::format("/v1/events?follow=false&limit={}{}", options.last, jail), exit);
    if (!page) return exit;
    if (context.json)
        print_json(*page);
    else
        for (const auto& event : page->at("items"))
            if (!print_event(event, false)) return kFailed;
    return kDone;
}

}  // namespace

void add_stream_commands(CLI::App& app, Command& chosen) {
    auto log_options = std::make_shared<LogOptions>();
    auto* logs_app = app.add_subcommand("logs", "what a jail's command and its exec.start and exec.stop wrote");
    logs_app->add_option("name", log_options->name, "a jail")->required();
    logs_app->add_option("-n,--tail", log_options->tail, "only the last lines")->check(CLI::Range(0, 100'000));
    logs_app->add_flag("-f,--follow", log_options->follow, "go on until the jail stops, or Ctrl-C");
    logs_app->add_flag("-t,--timestamps", log_options->timestamps, "with time and stream before each line");
    logs_app->callback(
        [log_options, &chosen] { chosen = [log_options](Context& context) { return logs(context, *log_options); }; });

    auto event_options = std::make_shared<EventOptions>();
    auto* events_app = app.add_subcommand("events", "what happened");
    events_app->add_option("name", event_options->jail, "only of this jail");
    events_app->add_option("-n,--last", event_options->last, "how many")->check(CLI::Range(1, 1000));
    events_app->add_flag("-f,--follow", event_options->follow,
                         "new ones, until Ctrl-C, also over a restart of jaild; with -o json one a line");
    events_app->callback([event_options, &chosen] {
        chosen = [event_options](Context& context) { return events(context, *event_options); };
    });
}

}  // namespace jaild::cli
