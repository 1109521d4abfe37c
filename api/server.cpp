#include "api/server.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <optional>
#include <thread>

#include "api/http/http_server.h"
#include "api/http/peer.h"
#include "api/http/sockets.h"
#include "api/v1/service.h"

namespace jaild::api {

class Server::Impl {
public:
    Impl(Supervisor& supervisor, ServerOptions options);
    ~Impl();

    Result<void> listen();
    Result<void> set_tokens(const std::vector<Token>& tokens);
    void run();
    bool finish(Milliseconds patience);
    void stop();
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    Result<void> listen_on_tcp();
    void begin_stop();

    // Destroyed from the last to the first. Coroutines that still wait are destroyed with io_; their destructors use
    // what stands before it, and may hand what blocks to pool_.
    ServerOptions options_;
    asio::thread_pool pool_;
    asio::thread_pool jail_pool_;
    asio::thread_pool transfer_pool_;
    std::atomic<bool> ending_ = false;
    std::optional<UnixSocket> socket_;
    Tokens tokens_;
    Router router_;
    EventFeed feed_;
    Service service_;
    ConnectionSettings settings_;
    asio::io_context io_{1};
    HttpServer http_;
    asio::steady_timer grace_;
    std::uint16_t port_ = 0;
};

Server::Impl::Impl(Supervisor& supervisor, ServerOptions options)
    : options_(std::move(options)),
      pool_(options_.pool_threads),
      jail_pool_(options_.jail_pool_threads),
      transfer_pool_(options_.limits.exports + options_.limits.imports),
      feed_(io_, pool_, supervisor),
      service_{.supervisor = supervisor,
               .pool = pool_,
               .jail_pool = jail_pool_,
               .transfer_pool = transfer_pool_,
               .ending = ending_,
               .limits = options_.limits,
               .feed = feed_,
               .gates{options_.limits.jail_calls, options_.limits.jail_patience},
               .programs = Slots(options_.limits.programs),
               .output_bytes = Slots(options_.limits.exec_output_shared),
               .event_streams = Slots(options_.limits.event_streams),
               .log_streams = Slots(options_.limits.log_streams),
               .stats_streams = Slots(options_.limits.stats_streams),
               .uploads = Slots(options_.limits.uploads),
               .exports = Slots(options_.limits.exports),
               .imports = Slots(options_.limits.imports)},
      settings_{.limits = options_.limits,
                .router = router_,
                .tokens = tokens_,
                .allowed_hosts = options_.allowed_hosts,
                .operators = std::nullopt,
                .pool = pool_},
      http_(io_, settings_),
      grace_(io_) {
    add_routes(router_, service_);
}

Server::Impl::~Impl() {
    ending_ = true;
    io_.stop();
    feed_.detach();
    transfer_pool_.join();
    jail_pool_.join();
    pool_.join();
}

Result<void> Server::Impl::listen() {
    if (auto sound = Server::check(options_); !sound) return sound;
    auto tokens = Tokens::create(options_.tokens);
    if (!tokens) return std::unexpected(tokens.error());
    tokens_ = *std::move(tokens);
    if (!options_.socket.empty()) {
        settings_.operators = find_group(options_.socket_group);
        auto socket = UnixSocket::listen(options_.socket, settings_.operators);
        if (!socket) return std::unexpected(socket.error());
        socket_.emplace(*std::move(socket));
        if (auto added = http_.add(socket_->take(), Transport::unix_socket); !added) return added;
    }
    if (!options_.listen.empty())
        if (auto listening = listen_on_tcp(); !listening) return listening;
    http_.start();
    feed_.start();
    return {};
}

Result<void> Server::Impl::listen_on_tcp() {
    auto address = TcpAddress::parse(options_.listen);
    if (!address) return std::unexpected(address.error());
    auto socket = listen_tcp(*address);
    if (!socket) return std::unexpected(socket.error());
    auto port = local_port(socket->get());
    if (!port) return std::unexpected(port.error());
    port_ = *port;
    spdlog::info("serving TCP on {}, port {}", address->host, port_);
    return http_.add(*std::move(socket), Transport::tcp);
}

Result<void> Server::Impl::set_tokens(const std::vector<Token>& tokens) {
    auto sound = Server::check({.socket = {}, .listen = options_.listen, .tokens = tokens});
    if (!sound) return sound;
    auto made = Tokens::create(tokens);
    if (!made) return std::unexpected(made.error());
    asio::post(io_, [this, fresh = *std::move(made)]() mutable { tokens_ = std::move(fresh); });
    return {};
}

void Server::Impl::run() {
    while (true) {
        try {
            io_.run();
            return;
        } catch (const std::exception& error) {
            // Every coroutine catches its own: this one came from a handler of the library.
            spdlog::error("the I/O thread goes on after: {}", error.what());
        }
    }
}

bool Server::Impl::finish(Milliseconds patience) {
    socket_.reset();
    // Asio joins its pools without a bound, so that is done on a thread that can be left behind.
    auto joined = std::make_shared<std::promise<void>>();
    auto done = joined->get_future();
    std::thread([this, joined] {
        transfer_pool_.join();
        jail_pool_.join();
        pool_.join();
        joined->set_value();
    }).detach();
    return done.wait_for(patience) == std::future_status::ready;
}

void Server::Impl::stop() {
    asio::post(io_, [this] { begin_stop(); });
}

void Server::Impl::begin_stop() {
    if (settings_.stopping) return;
    settings_.stopping = true;
    ending_ = true;
    feed_.stop();
    http_.stop();
    // Whoever is not answered by then is not answered; run() returns earlier when nobody is left.
    grace_.expires_after(options_.limits.shutdown_grace);
    grace_.async_wait([this](boost::system::error_code failure) {
        if (!failure) io_.stop();
    });
    http_.on_empty([this] { grace_.cancel(); });
}

Server::Server(Supervisor& supervisor, ServerOptions options)
    : impl_(std::make_unique<Impl>(supervisor, std::move(options))) {}
Server::~Server() = default;

Result<void> Server::check(const ServerOptions& options) {
    auto tokens = Tokens::create(options.tokens);
    if (!tokens) return std::unexpected(tokens.error());
    if (options.listen.empty()) return {};
    auto address = TcpAddress::parse(options.listen);
    if (!address) return std::unexpected(address.error());
    if (auto servable = check_servable(*address); !servable) return servable;
    if (!tokens->empty()) return {};
    return std::unexpected(
        Error{.code = Errc::invalid,
              .op = "listen",
              .detail = "TCP is served to those with a token only, and none is configured",
              .reason = "token_required",
              .field = "/token",
              .remedy = "add a [[token]] to the configuration; `openssl rand -hex 32` makes a value"});
}
Result<void> Server::listen() {
    return impl_->listen();
}
Result<void> Server::set_tokens(const std::vector<Token>& tokens) {
    return impl_->set_tokens(tokens);
}
void Server::run() {
    impl_->run();
}
bool Server::finish(Milliseconds patience) {
    return impl_->finish(patience);
}
void Server::stop() {
    impl_->stop();
}
std::uint16_t Server::port() const {
    return impl_->port();
}

}  // namespace jaild::api
