#include "api/http/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

namespace jaild::api {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr Milliseconds kTick{100};
constexpr Milliseconds kPauseWithoutDescriptors{100};
/// Of what waits in the kernel for a client that reads slowly: what it does not take soon, it has to ask for again.
constexpr int kSendBuffer = 128 * 1024;

Error too_many_connections() {
    return {.code = Errc::busy,
            .op = "accept",
            .detail = "as many clients as jaild serves are connected",
            .reason = "too_many_connections",
            .remedy = "close connections that are not needed, and try again"};
}

}  // namespace

HttpServer::HttpServer(asio::io_context& io, ConnectionSettings& settings)
    : io_(io), settings_(settings), tick_(io), pause_(io) {}

Result<void> HttpServer::add(UniqueFd listening, Transport transport) {
    const int family = transport == Transport::unix_socket ? AF_UNIX : AF_INET;
    auto& listener = listeners_.emplace_back(io_, transport);
    boost::system::error_code failure;
    listener.descriptor.assign(Protocol(family, 0), listening.get(), failure);
    if (failure) return std::unexpected(Error::from_errno("assign", failure.value(), "a listening socket"));
    static_cast<void>(listening.release());
    return {};
}

void HttpServer::start() {
    for (auto& listener : listeners_) asio::co_spawn(io_, accept_from(listener), asio::detached);
    asio::co_spawn(io_, watch_deadlines(), asio::detached);
}

void HttpServer::stop() {
    boost::system::error_code ignored;
    for (auto& listener : listeners_) listener.descriptor.close(ignored);
    pause_.cancel();
    tick_.cancel();
    for (auto* connection : connections_) connection->stop();
}

void HttpServer::on_empty(std::function<void()> done) {
    on_empty_ = std::move(done);
    if (connections_.empty()) on_empty_();
}

asio::awaitable<void> HttpServer::accept_from(Listener& listener) {
    while (!settings_.stopping) {
        const auto [failure] = co_await listener.descriptor.async_wait(Protocol::socket::wait_read, kAsTuple);
        if (failure || settings_.stopping) co_return;
        UniqueFd accepted(
            ::accept4(listener.descriptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (accepted) {
            accepted = out_of_the_way(std::move(accepted));
            const int family = listener.transport == Transport::unix_socket ? AF_UNIX : AF_INET;
            Connection::Socket socket(io_);
            boost::system::error_code assigned;
            socket.assign(Protocol(family, 0), accepted.get(), assigned);
            if (assigned) continue;
            static_cast<void>(accepted.release());
            welcome(std::move(socket), listener.transport);
            continue;
        }
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) continue;
        // Out of descriptors or memory: the client stays in the backlog, and waiting for it would spin.
        spdlog::error("accept: {}", std::error_code(errno, std::generic_category()).message());
        pause_.expires_after(kPauseWithoutDescriptors);
        co_await pause_.async_wait(kAsTuple);
    }
}

void HttpServer::welcome(Connection::Socket socket, Transport transport) {
    const auto& limits = settings_.limits;
    auto& clients = clients_[transport];
    if (clients >= limits.connections + limits.refusals) return;
    std::optional<Error> refusal;
    if (clients >= limits.connections) refusal = too_many_connections();
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
    if (transport == Transport::tcp) {
        const int on = 1;
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    auto connection = std::make_shared<Connection>(std::move(socket), transport, settings_, std::move(refusal));
    auto* pointer = connection.get();
    connections_.insert(pointer);
    ++clients;
    auto running = pointer->run();
    asio::co_spawn(io_, std::move(running),
                   [this, &clients, connection = std::move(connection)](const std::exception_ptr&) {
                       connections_.erase(connection.get());
                       --clients;
                       if (connections_.empty() && on_empty_) on_empty_();
                   });
}

asio::awaitable<void> HttpServer::watch_deadlines() {
    while (!settings_.stopping || !connections_.empty()) {
        tick_.expires_after(kTick);
        co_await tick_.async_wait(kAsTuple);
        const auto now = std::chrono::steady_clock::now();
        for (auto* connection : connections_) connection->check_deadline(now);
    }
}

}  // namespace jaild::api
