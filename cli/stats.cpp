#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/usage.h"

namespace jaild::cli {
namespace {

using nlohmann::json;

std::string label_query(const std::vector<std::string>& labels) {
    std::string query;
    for (const auto& label : labels) query += (query.empty() ? "?label=" : "&label=") + client::encode(label);
    return query;
}

struct StatsOptions {
    std::vector<std::string> names;
    std::vector<std::string> labels;
};

void add_row(Table& table, const json& jail) {
    const auto number = [&jail](const char* pointer) { return number_at(jail, pointer); };
    auto uptime = number("/uptime_seconds");
    if (uptime) *uptime *= 1'000'000;
    table.add({text(jail, "name"), text(jail, "state"), duration_text(number("/cpu/usage_us")),
               bytes_text(number("/memory/bytes")), bytes_text(number("/memory/limit_bytes")),
               count_text(number("/processes/count")), count_text(number("/files/open")),
               bytes_text(number("/io/read_bytes")), bytes_text(number("/io/write_bytes")),
               bytes_text(number("/network/rx_bytes")), bytes_text(number("/network/tx_bytes")),
               duration_text(uptime)});
}

/// Those that were named, each asked for, or all by one question.
int stats(Context& context, const StatsOptions& options) {
    int exit = kDone;
    json answer{{"items", json::array()}};
    for (const auto& name : options.names) {
        const auto jail = get(context, jail_target(name, "/stats"), exit);
        if (!jail) return exit;
        answer["items"].push_back(*jail);
    }
    if (options.names.empty()) {
        const auto all = get(context, "/v1/stats" + label_query(options.labels), exit);
        if (!all) return exit;
        answer = *all;
    }
    if (context.json) {
        print_json(options.names.size() == 1 ? answer["items"].front() : answer);
        return kDone;
    }
    Table table({"NAME", "STATE", "CPU", "MEMORY", "LIMIT", "PROCS", "FILES", "READ", "WRITE", "RX", "TX", "UP"});
    for (const auto& jail : answer["items"]) add_row(table, jail);
    fmt::print("{}", table.to_string());
    return kDone;
}

const std::map<std::string, Order> kOrders{{"cpu", Order::cpu},   {"memory", Order::memory},
                                           {"name", Order::name}, {"processes", Order::processes},
                                           {"io", Order::io},     {"network", Order::network}};
const std::map<char, Order> kKeys{{'c', Order::cpu},       {'m', Order::memory}, {'n', Order::name},
                                  {'p', Order::processes}, {'i', Order::io},     {'t', Order::network}};

struct TopOptions {
    std::vector<std::string> labels;
    Order order = Order::cpu;
    int delay = 2;       ///< seconds
    int iterations = 0;  ///< 0: until it is ended
    bool once = false;
};

std::string order_name(Order order) {
    for (const auto& [name, one] : kOrders)
        if (one == order) return name;
    return {};
}

/// Two samples, and what was between them.
class Samples {
public:
    explicit Samples(const TopOptions& options) : target_("/v1/stats" + label_query(options.labels)) {}

    /// False when there is no answer; `exit` says why.
    bool take(Context& context, int& exit) {
        auto sample = get(context, target_, exit);
        if (!sample) return false;
        before_ = std::exchange(now_, *std::move(sample));
        return true;
    }
    [[nodiscard]] std::string table(Order order) const {
        auto all = loads(before_, now_);
        sort_by(all, order);
        return to_table(all);
    }
    [[nodiscard]] std::string heading(Order order) const {
        return fmt::format("jaildctl top  {}  by {}\nc cpu  m memory  n name  p processes  i io  t network  q quit\n\n",
                           text(now_, "at"), order_name(order));
    }

private:
    std::string target_;
    json before_;
    json now_;
};

/// Tables one after another.
int print_tables(Context& context, const TopOptions& options, int iterations) {
    int exit = kDone;
    Samples samples(options);
    if (!samples.take(context, exit)) return exit;
    for (int done = 0; done < iterations; ++done) {
        std::this_thread::sleep_for(std::chrono::seconds(options.delay));
        if (!samples.take(context, exit)) return exit;
        if (!write_out((done == 0 ? "" : "\n") + samples.table(options.order))) return kFailed;
    }
    return kDone;
}

/// On the terminal, until `q` or a signal. Its errors are said when the screen is the old one again.
int show_tables(Context& context, TopOptions options) {
    using Clock = std::chrono::steady_clock;
    int exit = kDone;
    Samples samples(options);
    if (!samples.take(context, exit)) return exit;
    auto next = Clock::now() + std::chrono::seconds(options.delay);
    bool going_on = true;
    {
        const Screen screen;
        for (int done = 0; going_on && Screen::ending() == 0;) {
            screen.draw(samples.heading(options.order) + samples.table(options.order));
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
            const auto key = screen.key(static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
            if (key == 'q') break;
            if (const auto order = key ? kKeys.find(*key) : kKeys.end(); order != kKeys.end())
                options.order = order->second;
            if (Clock::now() < next) continue;
            next += std::chrono::seconds(options.delay);
            going_on = ++done != options.iterations && samples.take(context, exit);
        }
    }
    if (const int signal = Screen::ending(); signal != 0 && signal != SIGINT) std::raise(signal);
    return exit;
}

int top(Context& context, const TopOptions& options) {
    if (context.json) {
        fmt::print(stderr, "jaildctl: top is for people; for programs: jaildctl -o json stats\n");
        return kUsage;
    }
    const bool shown = Screen::possible() && !options.once;
    if (shown) return show_tables(context, options);
    return print_tables(context, options, options.once ? 1 : std::max(options.iterations, 1));
}

}  // namespace

void add_stats_commands(CLI::App& app, Command& chosen) {
    auto stats_options = std::make_shared<StatsOptions>();
    auto* stats_app = app.add_subcommand("stats", "what jails have used: processor, memory, disks, network");
    stats_app->add_option("names", stats_options->names, "jails; without: all");
    stats_app->add_option("--label", stats_options->labels, "only those: KEY=VALUE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    stats_app->callback([stats_options, &chosen] {
        chosen = [stats_options](Context& context) { return stats(context, *stats_options); };
    });

    auto options = std::make_shared<TopOptions>();
    auto* top_app = app.add_subcommand("top", "what jails use now, again and again");
    top_app->add_option("--sort", options->order, "cpu, memory, name, processes, io or network")
        ->transform(CLI::CheckedTransformer(kOrders, CLI::ignore_case));
    top_app->add_option("-d,--delay", options->delay, "seconds between two looks")->check(CLI::Range(1, 3600));
    top_app->add_option("-n,--iterations", options->iterations, "how many looks")->check(CLI::Range(1, 1'000'000));
    top_app->add_flag("--once", options->once, "one table, without taking the terminal");
    top_app->add_option("--label", options->labels, "only those: KEY=VALUE")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    top_app->footer("Keys: c cpu, m memory, n name, p processes, i io, t network, q quit.");
    top_app->callback([options, &chosen] { chosen = [options](Context& context) { return top(context, *options); }; });
}

}  // namespace jaild::cli
