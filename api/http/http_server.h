#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <unordered_set>

#include "api/http/connection.h"
#include "core/base/unique_fd.h"

namespace jaild::api {

/// Accepts clients and keeps their number and their time in bounds. I/O thread.
class HttpServer {
public:
    HttpServer(asio::io_context& io, ConnectionSettings& settings);

    /// A listening socket, non-blocking. Before start().
    Result<void> add(UniqueFd listening, Transport transport);
    void start();
    /// No new clients; idle ones are let go, the others end when they are answered.
    void stop();
    /// Calls `done` when no client is left; after stop().
    void on_empty(std::function<void()> done);

private:
    using Protocol = asio::generic::stream_protocol;
    /// Asio accepts for protocols of its own only, so a descriptor is waited for and accept4(2) called here.
    struct Listener {
        Listener(asio::io_context& io, Transport transport_) : descriptor(io), transport(transport_) {}
        Protocol::socket descriptor;
        Transport transport;
    };

    asio::awaitable<void> accept_from(Listener& listener);
    asio::awaitable<void> watch_deadlines();
    void welcome(Connection::Socket socket, Transport transport);

    asio::io_context& io_;
    ConnectionSettings& settings_;
    std::list<Listener> listeners_;
    std::unordered_set<Connection*> connections_;
    std::map<Transport, std::size_t> clients_;  ///< how many of each: strangers on TCP take no place on the UNIX socket
    std::function<void()> on_empty_;
    asio::steady_timer tick_;
    asio::steady_timer pause_;
};

}  // namespace jaild::api
