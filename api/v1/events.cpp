#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/http/json.h"
#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/v1/answers.h"
#include "api/v1/handlers.h"

namespace jaild::api::v1 {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr std::size_t kBatch = 200;  // events written to a stream at a time: all that is ever held for a reader
constexpr std::string_view kRetry = "retry: 2000\n\n";
constexpr std::string_view kKeepAlive = ": still here\n\n";

struct EventQuery {
    std::optional<EventSeq> after{};
    std::string jail{};
    std::size_t limit = 0;
    bool follow = true;
};

Result<EventSeq> parse_sequence(std::string_view text, std::string_view where) {
    std::int64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (!text.empty() && parsed.ec == std::errc{} && parsed.ptr == end && number >= 0) return EventSeq{number};
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "query",
                                 .detail = fmt::format("{} must be the number of an event", where),
                                 .reason = "invalid_parameter"});
}

Result<EventQuery> parse_event_query(const Request& request) {
    const auto& query = request.target.query;
    EventQuery wanted;
    auto follow = query.flag("follow", true);
    if (!follow) return std::unexpected(follow.error());
    wanted.follow = *follow;
    auto limit = query.number("limit", kPageDefault, 1, kPageMax);
    if (!limit) return std::unexpected(limit.error());
    if (wanted.follow && query.find("limit"))
        return std::unexpected(invalid_parameter("limit", "is for follow=false only"));
    wanted.limit = static_cast<std::size_t>(*limit);
    // A browser that reconnects sends Last-Event-ID beside the parameters of its first request: the field is newer.
    const auto last = request.field("Last-Event-ID");
    const auto after = last ? last : query.find("after");
    if (after) {
        auto sequence = parse_sequence(*after, last ? "Last-Event-ID" : "after");
        if (!sequence) return std::unexpected(sequence.error());
        wanted.after = *sequence;
    }
    if (const auto jail = query.find("jail")) {
        auto name = model::Name::parse(*jail, "");
        if (!name) return std::unexpected(name.error());
        wanted.jail = name->text();
    }
    return wanted;
}

bool concerns(const model::Event& event, const EventQuery& wanted) {
    return wanted.jail.empty() || equal_ignoring_case(event.jail, wanted.jail);
}

struct EventPage {
    std::vector<model::Event> items;
    EventSeq last;      ///< the newest that was looked at
    bool more = false;  ///< newer ones are there
};

/// The first `limit` events after `after` that concern the query. Blocking.
Result<EventPage> read_page(Service& service, const Request& request, const EventQuery& wanted, EventSeq after) {
    EventPage page{.items = {}, .last = after};
    while (true) {
        auto events = service.supervisor.events(request.caller, page.last, kPageMax);
        if (!events) return std::unexpected(events.error());
        for (auto& event : *events) {
            if (page.items.size() == wanted.limit) {
                page.more = true;
                return page;
            }
            page.last = event.seq;
            if (concerns(event, wanted)) page.items.push_back(std::move(event));
        }
        if (events->size() < static_cast<std::size_t>(kPageMax)) return page;
    }
}

/// The newest `limit` events. Blocking.
Result<EventPage> read_newest(Service& service, const Request& request, const EventQuery& wanted) {
    auto newest = service.supervisor.last_event(request.caller);
    if (!newest) return std::unexpected(newest.error());
    if (!wanted.jail.empty()) {
        // As the jail itself writes its name; that of a removed one as it was asked for.
        auto jail = service.supervisor.get(request.caller, *model::Name::parse(wanted.jail));
        auto events =
            service.supervisor.events_of(request.caller, jail ? jail->name.text() : wanted.jail, wanted.limit);
        if (!events) return std::unexpected(events.error());
        return EventPage{.items = *std::move(events), .last = *newest};
    }
    const auto back = newest->value - static_cast<std::int64_t>(wanted.limit);
    return read_page(service, request, wanted, EventSeq{std::max<std::int64_t>(back, 0)});
}

std::string next_link(const EventQuery& wanted, EventSeq last) {
    auto link = fmt::format("</v1/events?follow=false&after={}&limit={}", last.value, wanted.limit);
    if (!wanted.jail.empty()) link += "&jail=" + wanted.jail;
    return link + ">; rel=\"next\"";
}

Answer list_events(Service& service, const Request& request, EventQuery wanted) {
    auto page = co_await offload(service.pool, [&] {
        return wanted.after ? read_page(service, request, wanted, *wanted.after)
                            : read_newest(service, request, wanted);
    });
    if (!page) co_return problem(page.error());
    auto items = nlohmann::json::array();
    for (const auto& event : page->items) items.push_back(model::to_json(event));
    auto response = answer_items(std::move(items));
    // There is always a next page: of events still to come.
    response.fields.emplace_back("Link", next_link(wanted, page->last));
    co_return response;
}

/// One event as the HTML standard's "server-sent events" write it. Its JSON has no line breaks.
void append_event(std::string& text, const model::Event& event) {
    fmt::format_to(std::back_inserter(text), "id: {}\nevent: {}\ndata: {}\n\n", event.seq.value, event.type,
                   dump(model::to_json(event)));
}

/// Writes events as they come. What a reader has not taken is nowhere but in the database: one who takes nothing for
/// Limits::write_timeout is dropped, and comes back with Last-Event-ID.
asio::awaitable<void> stream_events(Service& service, const Request& request, EventQuery wanted, EventSeq seen,
                                    Sink& sink) {
    std::string text(kRetry);
    while (true) {
        if (!text.empty()) {
            const bool taken = co_await sink.write(text);
            if (!taken) co_return;
        }
        if (service.feed.stopping()) co_return;
        text.clear();
        auto events =
            co_await offload(service.pool, [&] { return service.supervisor.events(request.caller, seen, kBatch); });
        // Pruned while we read, or the database is ill: with a new request the client learns which.
        if (!events) co_return;
        for (const auto& event : *events) {
            seen = event.seq;
            if (concerns(event, wanted)) append_event(text, event);
        }
        if (!events->empty()) continue;
        const auto begun = std::chrono::steady_clock::now();
        const auto first =
            co_await (service.feed.newer_than(seen, service.limits.event_keepalive) || request.client->gone());
        if (first.index() == 1 && !service.feed.stopping()) co_return;
        if (std::chrono::steady_clock::now() - begun >= service.limits.event_keepalive) text = kKeepAlive;
    }
}

Answer follow_events(Service& service, const Request& request, EventQuery wanted) {
    auto slot = service.event_streams.take();
    if (!slot)
        co_return problem(Error{.code = Errc::busy,
                                .op = "events",
                                .detail = "as many clients as jaild serves follow the events",
                                .reason = "too_many_streams"});
    // Read before the stream begins: "events_gone" still has a status of its own.
    auto begin = co_await offload(service.pool, [&]() -> Result<EventSeq> {
        if (!wanted.after) return service.supervisor.last_event(request.caller);
        auto there = service.supervisor.events(request.caller, *wanted.after, 1);
        if (!there) return std::unexpected(there.error());
        return *wanted.after;
    });
    if (!begin) co_return problem(begin.error());
    Response response{.content_type = "text/event-stream"};
    const auto held = std::make_shared<Slots::Slot>(*std::move(slot));
    response.stream = [&service, &request, wanted, seen = *begin, held](Sink& sink) {
        return stream_events(service, request, wanted, seen, sink);
    };
    co_return response;
}

}  // namespace

Answer get_events(Service& service, const Request& request) {
    auto wanted = parse_event_query(request);
    if (!wanted) co_return problem(wanted.error());
    if (wanted->follow) co_return co_await follow_events(service, request, *std::move(wanted));
    co_return co_await list_events(service, request, *std::move(wanted));
}

}  // namespace jaild::api::v1
