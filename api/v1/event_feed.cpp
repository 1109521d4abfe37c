#include "api/v1/event_feed.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>

#include "api/http/offload.h"

namespace jaild::api {
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBatch = 500;
constexpr Milliseconds kLongest{3'600'000};

Caller myself() {
    return {.principal = "api", .role = Role::viewer};
}

}  // namespace

struct EventFeed::Signal {
    std::mutex mutex;
    EventFeed* feed = nullptr;  ///< null before start() and when the feed is gone
    EventSeq newest{};
    bool posted = false;

    /// Core's thread.
    void committed(const std::shared_ptr<Signal>& self, EventSeq sequence) {
        const std::lock_guard lock(mutex);
        newest = std::max(newest, sequence);
        // One call under way is enough: it looks at the newest when it runs.
        if (!feed || posted) return;
        posted = true;
        asio::post(feed->io_, [self] { self->deliver(); });
    }

    /// The I/O thread.
    void deliver() {
        std::unique_lock lock(mutex);
        posted = false;
        auto* const to = feed;
        const auto sequence = newest;
        lock.unlock();
        if (to) to->committed(sequence);
    }
};

EventFeed::EventFeed(asio::io_context& io, asio::thread_pool& pool, Supervisor& supervisor)
    : io_(io), pool_(pool), supervisor_(supervisor), signal_(std::make_shared<Signal>()) {}

EventFeed::~EventFeed() {
    detach();
}

void EventFeed::start() {
    signal_->feed = this;
    supervisor_.on_events([signal = signal_](EventSeq newest) { signal->committed(signal, newest); });
    asio::co_spawn(io_, follow(), asio::detached);
}

void EventFeed::detach() {
    const std::lock_guard lock(signal_->mutex);
    signal_->feed = nullptr;
}

void EventFeed::stop() {
    stopping_ = true;
    for (auto* timer : waiting_) timer->cancel();
    for (auto& [operation, watch] : watches_) watch->timer_.cancel();
}

void EventFeed::committed(EventSeq newest) {
    if (newest <= newest_) return;
    newest_ = newest;
    for (auto* timer : waiting_) timer->cancel();
}

asio::awaitable<void> EventFeed::newer_than(EventSeq seen, Milliseconds at_most) {
    if (newest_ > seen || stopping_) co_return;
    asio::steady_timer timer(io_, at_most);
    struct Registration {
        std::unordered_set<asio::steady_timer*>& set;
        asio::steady_timer* timer;
        ~Registration() { set.erase(timer); }
    };
    const Registration registration{waiting_, &timer};
    waiting_.insert(&timer);
    co_await timer.async_wait(kTuple);
}

asio::awaitable<void> EventFeed::follow() {
    EventSeq seen{};
    bool begun = false;
    while (!stopping_) {
        if (!begun) {
            auto last = co_await offload(pool_, [this] { return supervisor_.last_event(myself()); });
            if (last) seen = *last;
            begun = true;
        }
        co_await newer_than(seen, kLongest);
        if (stopping_) co_return;
        auto events = co_await offload(pool_, [this, seen] { return supervisor_.events(myself(), seen, kBatch); });
        if (!events) {
            // Pruned faster than we read, or the database is ill; who waits looks again by himself.
            spdlog::warn("cannot follow the events: {}", events.error().to_string());
            seen = newest_;
            continue;
        }
        for (const auto& event : *events) {
            seen = event.seq;
            if (!event.operation.empty()) touch(event.operation);
        }
        if (events->empty()) seen = newest_;
    }
}

void EventFeed::touch(const std::string& operation) {
    const auto [first, last] = watches_.equal_range(operation);
    for (auto watch = first; watch != last; ++watch) {
        watch->second->touched_ = true;
        watch->second->timer_.cancel();
    }
}

EventFeed::OperationWatch::OperationWatch(EventFeed& feed, std::string operation)
    : feed_(feed), operation_(std::move(operation)), timer_(feed.io_) {
    feed_.watches_.emplace(operation_, this);
}

EventFeed::OperationWatch::~OperationWatch() {
    const auto [first, last] = feed_.watches_.equal_range(operation_);
    for (auto watch = first; watch != last; ++watch) {
        if (watch->second != this) continue;
        feed_.watches_.erase(watch);
        return;
    }
}

asio::awaitable<void> EventFeed::OperationWatch::changed(Milliseconds at_most) {
    if (!touched_ && !feed_.stopping_) {
        timer_.expires_after(at_most);
        co_await timer_.async_wait(kTuple);
    }
    touched_ = false;
}

}  // namespace jaild::api
