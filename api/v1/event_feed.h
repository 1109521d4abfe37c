#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/supervisor.h"

namespace jaild::api {

namespace asio = boost::asio;

/// Wakes coroutines when events were committed. I/O thread. `io` is used from start() on, and may be destroyed before
/// the feed: coroutines that wait are destroyed with it, and their destructors use the feed.
class EventFeed {
public:
    EventFeed(asio::io_context& io, asio::thread_pool& pool, Supervisor& supervisor);
    ~EventFeed();

    /// Sets Supervisor::on_events and begins to follow. Before the I/O thread runs.
    void start();
    /// Core's thread does not call any more, whatever happens to `io` from here on.
    void detach();
    /// Wakes everybody; nobody waits from here on.
    void stop();

    /// Until an event newer than `seen` was committed, or `at_most` has passed, or stop().
    asio::awaitable<void> newer_than(EventSeq seen, Milliseconds at_most);
    [[nodiscard]] bool stopping() const { return stopping_; }

    /// Somebody who waits for one operation; woken by each event that names it. Made before the operation is read, so
    /// that no event falls in between.
    class OperationWatch {
    public:
        OperationWatch(EventFeed& feed, std::string operation);
        OperationWatch(const OperationWatch&) = delete;
        OperationWatch& operator=(const OperationWatch&) = delete;
        ~OperationWatch();
        asio::awaitable<void> changed(Milliseconds at_most);

    private:
        friend class EventFeed;
        EventFeed& feed_;
        std::string operation_;
        asio::steady_timer timer_;
        bool touched_ = false;
    };

private:
    /// What core's thread calls; it may outlive the feed.
    struct Signal;

    asio::awaitable<void> follow();
    void committed(EventSeq newest);
    void touch(const std::string& operation);

    asio::io_context& io_;
    asio::thread_pool& pool_;
    Supervisor& supervisor_;
    std::shared_ptr<Signal> signal_;
    EventSeq newest_{};
    std::unordered_set<asio::steady_timer*> waiting_;
    std::unordered_multimap<std::string, OperationWatch*> watches_;
    bool stopping_ = false;
};

}  // namespace jaild::api
