#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"
#include "api/v1/jail_filter.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;
using nlohmann::json;
using Time = std::chrono::steady_clock::time_point;

constexpr std::int64_t kMaxInterval = 3600;  // seconds
constexpr const char* kAllJails = "/stats";  // their gate: no jail has such a name
constexpr std::string_view kStatsKeepAlive = ": still here\n\n";

/// Of whom, and how often.
struct StatsQuery {
    std::optional<model::Name> name{};  ///< else `filter`
    JailQuery filter{};
    std::chrono::seconds interval{0};  ///< 0: once
};

void put(json& object, const char* key, const std::optional<std::uint64_t>& value) {
    if (value) object[key] = *value;
}

/// What a kernel cannot tell is not there; nor is a part of which it can tell nothing.
void put(json& object, const char* key, json part) {
    if (!part.empty()) object[key] = std::move(part);
}

json traffic_json(const kernel::InterfaceCounters& one) {
    return {{"rx_bytes", one.received_bytes},
            {"rx_packets", one.received_packets},
            {"tx_bytes", one.sent_bytes},
            {"tx_packets", one.sent_packets}};
}

json network_json(const JailUsage& jail) {
    kernel::InterfaceCounters sum;
    json interfaces = json::array();
    for (const auto& one : jail.counters->interfaces) {
        sum.received_bytes += one.received_bytes;
        sum.received_packets += one.received_packets;
        sum.sent_bytes += one.sent_bytes;
        sum.sent_packets += one.sent_packets;
        auto shown = traffic_json(one);
        shown["name"] =
            one.index < jail.interfaces.size() ? jail.interfaces[one.index] : fmt::format("vnet{}", one.index);
        interfaces.push_back(std::move(shown));
    }
    if (interfaces.empty()) return {};
    auto network = traffic_json(sum);
    network["interfaces"] = std::move(interfaces);
    return network;
}

json usage_json(const JailUsage& jail) {
    json shown{{"name", jail.name.text()}, {"state", model::to_string(jail.state)}, {"restarts", jail.restarts}};
    if (!jail.counters) return shown;
    const auto& counters = *jail.counters;
    json cpu = json::object();
    put(cpu, "usage_us", counters.cpu_us);
    json memory = json::object();
    put(memory, "bytes", counters.memory_bytes);
    put(memory, "limit_bytes", counters.memory_limit_bytes);
    json processes = json::object();
    put(processes, "count", counters.processes);
    put(processes, "threads", counters.threads);
    json files = json::object();
    put(files, "open", counters.open_files);
    json io = json::object();
    put(io, "read_bytes", counters.read_bytes);
    put(io, "write_bytes", counters.written_bytes);
    put(io, "read_operations", counters.read_operations);
    put(io, "write_operations", counters.write_operations);
    put(shown, "cpu", std::move(cpu));
    put(shown, "memory", std::move(memory));
    put(shown, "processes", std::move(processes));
    put(shown, "files", std::move(files));
    put(shown, "io", std::move(io));
    put(shown, "network", network_json(jail));
    if (counters.uptime) shown["uptime_seconds"] = counters.uptime->count() / 1000;
    return shown;
}

std::string usage_text(const Usage& usage, bool one) {
    json shown = json::object();
    if (one) {
        shown = usage_json(usage.jails.front());
    } else {
        shown["items"] = json::array();
        for (const auto& jail : usage.jails) shown["items"].push_back(usage_json(jail));
    }
    shown["at"] = usage.at.to_string();
    shown["monotonic_us"] = usage.monotonic.count();
    return dump(shown);
}

/// One look, as text.
asio::awaitable<Result<std::string>> sample(Service& service, const Request& request, StatsQuery wanted) {
    const auto gate = wanted.name ? wanted.name->key() : std::string(kAllJails);
    auto text = co_await offload_through(service.gates, gate, service.jail_pool, [&]() -> Result<std::string> {
        auto usage = wanted.name ? service.supervisor.usage(request.caller, *wanted.name)
                                 : service.supervisor.usage(request.caller, wanted.filter);
        if (!usage) return std::unexpected(usage.error());
        return usage_text(*usage, wanted.name.has_value());
    });
    co_return text;
}

asio::awaitable<void> wait_until(Time then) {
    asio::steady_timer timer(co_await asio::this_coro::executor, then);
    co_await timer.async_wait(asio::use_awaitable);
}

/// False when the client has left, or the server stops.
asio::awaitable<bool> wait_for_next(Service& service, const Request& request, Time next, Sink& sink) {
    while (true) {
        const auto now = std::chrono::steady_clock::now();
        if (now >= next) co_return true;
        const auto silent = now + service.limits.event_keepalive;
        const auto first = co_await (wait_until(std::min(next, silent)) || request.client->gone());
        if (first.index() == 1 || service.feed.stopping()) co_return false;
        if (silent >= next) continue;
        const bool taken = co_await sink.write(kStatsKeepAlive);
        if (!taken) co_return false;
    }
}

/// A sample now and one each interval, as server-sent events, until the client leaves or the jail is removed. When a
/// look takes longer than the interval, the next one begins at once.
asio::awaitable<void> stream_stats(Service& service, const Request& request, StatsQuery wanted, std::string first,
                                   Sink& sink) {
    auto next = std::chrono::steady_clock::now();
    Result<std::string> text = std::move(first);
    while (text) {
        const bool taken = co_await sink.write(fmt::format("event: stats\ndata: {}\n\n", *text));
        if (!taken) co_return;
        next = std::max(next + wanted.interval, std::chrono::steady_clock::now());
        const bool going_on = co_await wait_for_next(service, request, next, sink);
        if (!going_on) co_return;
        text = co_await sample(service, request, wanted);
    }
}

Answer answer_stats(Service& service, const Request& request, StatsQuery wanted) {
    auto interval = request.target.query.number("interval", 0, 1, kMaxInterval);
    if (!interval) co_return problem(interval.error());
    wanted.interval = std::chrono::seconds(*interval);
    std::optional<Slots::Slot> slot;
    if (*interval > 0) {
        auto taken = service.stats_streams.take();
        if (!taken)
            co_return problem(Error{.code = Errc::busy,
                                    .op = "stats",
                                    .detail = "as many clients as jaild serves follow stats",
                                    .reason = "too_many_streams"});
        slot.emplace(*std::move(taken));
    }
    // Looked at before a stream begins: what is refused has a status of its own.
    auto text = co_await sample(service, request, wanted);
    if (!text) co_return problem(text.error());
    Response response;
    if (!slot) {
        response.body = *std::move(text);
        co_return response;
    }
    response.content_type = "text/event-stream";
    const auto held = std::make_shared<Slots::Slot>(*std::move(slot));
    response.stream = [&service, &request, wanted, first = *text, held](Sink& sink) {
        return stream_stats(service, request, wanted, first, sink);
    };
    co_return response;
}

}  // namespace

Answer get_stats(Service& service, const Request& request) {
    auto filter = jail_filter(request.target.query);
    if (!filter) co_return problem(filter.error());
    StatsQuery wanted;
    wanted.filter = *std::move(filter);
    co_return co_await answer_stats(service, request, std::move(wanted));
}

Answer get_jail_stats(Service& service, const Request& request) {
    auto name = name_of(request);
    if (!name) co_return problem(name.error());
    StatsQuery wanted;
    wanted.name = *std::move(name);
    co_return co_await answer_stats(service, request, std::move(wanted));
}

}  // namespace jaild::api::v1
