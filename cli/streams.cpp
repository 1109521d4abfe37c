#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/table.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

/// Hands an endless body over until it ends; a refusal is reported.
int stream(Context& context, const client::Request& request, const std::function<bool(std::string_view)>& on_data) {
    const auto response = context.client.stream(request, on_data);
    if (!response) return report(response.error());
    return response->status / 100 == 2 ? kDone : report(*response);
}

bool write_out(std::string_view data) {
    return std::fwrite(data.data(), 1, data.size(), stdout) == data.size() && std::fflush(stdout) == 0;
}

struct LogOptions {
    std::string name;
    int tail = -1;
    bool follow = false;
    bool timestamps = false;
};

int logs(Context& context, const LogOptions& options) {
    std::string query = fmt::format("?follow={}&timestamps={}", options.follow, options.timestamps);
    if (options.tail >= 0) query += fmt::format("&tail={}", options.tail);
    return stream(context, {.target = jail_target(options.name, "/logs" + query)}, write_out);
}

struct EventOptions {
    std::string jail;
    int last = 50;
    bool follow = false;
};

void print_event(const json& event, bool as_json) {
    if (as_json) {
        fmt::print("{}\n", event.dump());
        return;
    }
    const auto jail = text(event, "jail");  // null: the event is of no jail, or of one that is gone
    fmt::print("{}  {:<20}  {:<16}  {}\n", text(event, "at"), text(event, "type"), jail.empty() ? "-" : jail,
               printable(event.at("data").dump()));
}

/// The `data:` lines of a text/event-stream, put together again over the borders of what is read at a time.
class EventStream {
public:
    explicit EventStream(bool as_json) : json_(as_json) {}

    bool feed(std::string_view data) {
        rest_ += data;
        for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
            line(rest_.substr(0, end));
            rest_.erase(0, end + 1);
        }
        return std::fflush(stdout) == 0;
    }

private:
    void line(std::string_view text) const {
        constexpr std::string_view field = "data:";
        if (!text.starts_with(field)) return;
        const auto event = json::parse(text.substr(field.size()), nullptr, false);
        if (event.is_object()) print_event(event, json_);
    }

    bool json_;
    std::string rest_;
};

int events(Context& context, const EventOptions& options) {
    const auto jail = options.jail.empty() ? "" : "&jail=" + client::encode(options.jail);
    if (options.follow) {
        EventStream printer(context.json);
        return stream(context, {.target = "/v1/events?follow=true" + jail},
                      [&](std::string_view data) { return printer.feed(data); });
    }
    int exit = kDone;
    const auto page = get(context, fmt::format("/v1/events?follow=false&limit={}{}", options.last, jail), exit);
    if (!page) return exit;
    if (context.json)
        print_json(*page);
    else
        for (const auto& event : page->at("items")) print_event(event, false);
    return kDone;
}

}  // namespace

void add_stream_commands(CLI::App& app, Command& chosen) {
    auto log_options = std::make_shared<LogOptions>();
    auto* logs_app = app.add_subcommand("logs", "what a jail's command and its exec.start and exec.stop wrote");
    logs_app->add_option("name", log_options->name, "a jail")->required();
    logs_app->add_option("-n,--tail", log_options->tail, "only the last lines")->check(CLI::Range(0, 100'000));
    logs_app->add_flag("-f,--follow", log_options->follow, "go on until Ctrl-C");
    logs_app->add_flag("-t,--timestamps", log_options->timestamps, "with time and stream before each line");
    logs_app->callback(
        [log_options, &chosen] { chosen = [log_options](Context& context) { return logs(context, *log_options); }; });

    auto event_options = std::make_shared<EventOptions>();
    auto* events_app = app.add_subcommand("events", "what happened");
    events_app->add_option("name", event_options->jail, "only of this jail");
    events_app->add_option("-n,--last", event_options->last, "how many")->check(CLI::Range(1, 1000));
    events_app->add_flag("-f,--follow", event_options->follow, "new ones, until Ctrl-C; with -o json one a line");
    events_app->callback([event_options, &chosen] {
        chosen = [event_options](Context& context) { return events(context, *event_options); };
    });
}

}  // namespace jaild::cli
