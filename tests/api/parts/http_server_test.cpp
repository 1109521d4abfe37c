#include "api/http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "api/http/offload.h"
#include "api/http/problem.h"
#include "api/http/sockets.h"
#include "tests/catch.h"
#include "tests/results.h"

using namespace jaild;
using namespace jaild::api;

namespace {

constexpr int kDeadline = 20'000;  // milliseconds, for whatever must happen
constexpr std::string_view kHead = "Host: localhost\r\n\r\n";

/// Limits that a test can wait for.
Limits short_limits() {
    Limits limits;
    limits.header_timeout = Milliseconds(300);
    limits.body_timeout = Milliseconds(300);
    limits.idle_timeout = Milliseconds(300);
    limits.write_timeout = Milliseconds(300);
    limits.connections = 4;
    limits.refusals = 2;
    limits.body_bytes = 1000;
    limits.stream_bytes = 300'000;
    limits.stream_stall = Milliseconds(300);
    return limits;
}

/// The same, for those who would wait between requests for longer than a test.
Limits long_idle() {
    auto limits = short_limits();
    limits.idle_timeout = std::chrono::hours(1);
    return limits;
}

/// A server on loopback with a few routes of its own, on a thread.
class Fixture {
public:
    explicit Fixture(Limits limits = short_limits())
        : limits_(limits),
          tokens_(test::value_of(Tokens::create({}))),
          settings_{.limits = limits_,
                    .router = router_,
                    .tokens = tokens_,
                    .allowed_hosts = hosts_,
                    .operators = std::nullopt,
                    .pool = pool_},
          server_(io_, settings_) {
        const auto open = [](Method method, std::string_view path, auto handler) {
            return Route{.method = method, .pattern = path, .access = Access::anyone, .handler = handler};
        };
        router_.add(open(Method::get, "/quick", QuickHandler([](const Request&) { return Response{.body = "{}"}; })));
        router_.add(open(Method::get, "/throws",
                         QuickHandler([](const Request&) -> Response { throw std::runtime_error("a bug"); })));
        router_.add(open(Method::get, "/endless", QuickHandler([this](const Request&) { return endless(); })));
        router_.add(open(Method::get, "/waits", Handler([this](const Request& request) { return wait(request); })));
        router_.add(open(Method::get, "/blocks", Handler([this](const Request&) { return block(); })));
        auto body =
            open(Method::post, "/body",
                 QuickHandler([](const Request& request) { return Response{.body = std::string(request.body)}; }));
        body.content = Content::json;
        router_.add(std::move(body));
        auto pieces = open(Method::put, "/pieces", Handler([this](const Request& request) { return count(request); }));
        pieces.content = Content::stream;
        router_.add(std::move(pieces));
        auto unread = open(Method::put, "/unread", QuickHandler([](const Request&) { return Response{.body = "{}"}; }));
        unread.content = Content::stream;
        router_.add(std::move(unread));

        auto socket = test::value_of(listen_tcp({.host = "127.0.0.1", .port = 0}));
        port_ = test::value_of(local_port(socket.get()));
        test::value_of(server_.add(std::move(socket), Transport::tcp));
        server_.start();
        thread_ = std::thread([this] { io_.run(); });
    }

    ~Fixture() {
        asio::post(io_, [this] {
            settings_.stopping = true;
            server_.stop();
        });
        thread_.join();
        pool_.join();
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }
    std::atomic<int> left{0};          ///< clients of /waits that went away
    std::atomic<int> stream_ended{0};  ///< streams whose reader was dropped
    std::atomic<bool> release{false};
    std::atomic<int> cut_off{0};  ///< bodies of /pieces that did not come whole
    std::atomic<std::size_t> largest{0};

private:
    Response endless() {
        Response response{.content_type = "text/plain"};
        response.stream = [this](Sink& sink) -> asio::awaitable<void> {
            const std::string piece(64 * 1024, 'x');
            while (true) {
                const bool taken = co_await sink.write(piece);
                if (!taken) break;
            }
            ++stream_ended;
        };
        return response;
    }

    asio::awaitable<Response> wait(const Request& request) {
        co_await request.client->gone();
        ++left;
        co_return Response{.status = 204};
    }

    asio::awaitable<Response> count(const Request& request) {
        std::size_t bytes = 0;
        while (true) {
            const auto piece = co_await request.source->read();
            if (!piece) {
                ++cut_off;
                co_return problem(piece.error());
            }
            if (piece->empty()) break;
            bytes += piece->size();
            largest = std::max(largest.load(), piece->size());
        }
        co_return Response{.body = "bytes " + std::to_string(bytes) + ";"};
    }

    asio::awaitable<Response> block() {
        co_await offload(pool_, [this] {
            while (!release) std::this_thread::yield();
            return true;
        });
        co_return Response{.body = "{}"};
    }

    Limits limits_;
    std::vector<std::string> hosts_;
    asio::thread_pool pool_{2};
    Tokens tokens_;
    Router router_;
    ConnectionSettings settings_;
    asio::io_context io_{1};
    HttpServer server_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

class Peer {
public:
    explicit Peer(const Fixture& fixture) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int small = 4096;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(fixture.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }

    void send(std::string_view text) { REQUIRE(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) >= 0); }
    void get(std::string_view path) { send("GET " + std::string(path) + " HTTP/1.1\r\n" + std::string(kHead)); }

    /// Until `end` is there, or the server closes.
    std::string read_until(std::string_view end) {
        std::string text;
        char piece[4096];
        while (text.find(end) == std::string::npos) {
            pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
            REQUIRE(::poll(&ready, 1, kDeadline) == 1);
            const auto count = ::recv(socket_.get(), piece, sizeof piece, 0);
            if (count <= 0) break;
            text.append(piece, static_cast<std::size_t>(count));
        }
        return text;
    }
    std::string read_to_end() { return read_until("\x01never"); }
    void close() { socket_.reset(); }
    void send_no_more() { REQUIRE(::shutdown(socket_.get(), SHUT_WR) == 0); }

private:
    UniqueFd socket_;
};

bool eventually(const std::function<bool()>& check) {
    const auto end = std::chrono::steady_clock::now() + Milliseconds(kDeadline);
    while (!check()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

}  // namespace

TEST_CASE("requests follow each other on one connection", "[http][server]") {
    const Fixture fixture;
    Peer peer(fixture);
    for (int i = 0; i < 3; ++i) {
        peer.get("/quick");
        CHECK(peer.read_until("{}").starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

TEST_CASE("a connection without a request is closed without a word", "[http][server]") {
    const Fixture fixture;
    Peer silent(fixture);
    CHECK(silent.read_to_end().empty());
    Peer served(fixture);
    served.get("/quick");
    CHECK(served.read_to_end().ends_with("{}"));
}

TEST_CASE("a connection that never sends is closed as soon as one that sends half a head", "[http][server]") {
    const Fixture fixture(long_idle());
    Peer silent(fixture);
    CHECK(silent.read_to_end().empty());
}

TEST_CASE("a connection ends with the answer to its client's last request", "[http][server]") {
    const Fixture fixture(long_idle());
    Peer seen_while_answering(fixture);
    seen_while_answering.get("/waits");
    seen_while_answering.send_no_more();
    const auto answered = seen_while_answering.read_to_end();
    CHECK(answered.starts_with("HTTP/1.1 204 "));
    CHECK(answered.find("Connection: close") != std::string::npos);
    Peer seen_afterwards(fixture);
    seen_afterwards.get("/quick");
    CHECK(seen_afterwards.read_until("{}").starts_with("HTTP/1.1 200 "));
    seen_afterwards.send_no_more();
    CHECK(seen_afterwards.read_to_end().empty());
}

TEST_CASE("half a request after the client's last byte is refused at once", "[http][server]") {
    auto limits = long_idle();
    limits.header_timeout = std::chrono::hours(1);
    const Fixture fixture(limits);
    Peer peer(fixture);
    peer.get("/waits");
    peer.send("GET /qui");
    peer.send_no_more();
    const auto answered = peer.read_to_end();
    CHECK(answered.starts_with("HTTP/1.1 204 "));
    CHECK(answered.find("HTTP/1.1 400 ") != std::string::npos);
}

TEST_CASE("half a head and half a body are answered when their time is over", "[http][server]") {
    const Fixture fixture;
    Peer head(fixture);
    head.send("GET /quick HTTP/1.1\r\nHost: local");
    const auto answered = head.read_to_end();
    CHECK(answered.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    CHECK(answered.find("Connection: close") != std::string::npos);
    Peer body(fixture);
    body.send("POST /body HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\nHost: a\r\n\r\n{");
    // The Host of another name is refused first on TCP.
    CHECK(body.read_to_end().starts_with("HTTP/1.1 421 "));
    Peer late(fixture);
    late.send("POST /body HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n" + std::string(kHead) +
              "{");
    CHECK(late.read_to_end().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a reader that takes nothing is dropped", "[http][server]") {
    Fixture fixture;
    Peer peer(fixture);
    peer.get("/endless");
    CHECK(eventually([&] { return fixture.stream_ended == 1; }));
}

TEST_CASE("a handler learns that its client has left", "[http][server]") {
    Fixture fixture;
    {
        Peer peer(fixture);
        peer.get("/waits");
        CHECK(fixture.left == 0);
    }
    CHECK(eventually([&] { return fixture.left == 1; }));
    // A client that has sent its next request is still there.
    Peer patient(fixture);
    patient.get("/waits");
    patient.get("/quick");
    Peer other(fixture);
    other.get("/quick");
    other.read_until("{}");
    CHECK(fixture.left == 1);
    patient.close();
    CHECK(eventually([&] { return fixture.left == 2; }));
}

TEST_CASE("what blocks in a handler keeps nobody else waiting", "[http][server]") {
    Fixture fixture;
    Peer blocked(fixture);
    blocked.get("/blocks");
    Peer other(fixture);
    other.get("/quick");
    CHECK(other.read_until("{}").starts_with("HTTP/1.1 200 "));
    fixture.release = true;
    CHECK(blocked.read_until("{}").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a bug in a handler is a problem, and the connection goes on", "[http][server]") {
    const Fixture fixture;
    Peer peer(fixture);
    peer.get("/throws");
    const auto answered = peer.read_until("}");
    CHECK(answered.starts_with("HTTP/1.1 500 "));
    CHECK(answered.find("\"code\":\"internal\"") != std::string::npos);
    CHECK(answered.find("a bug") == std::string::npos);
    peer.get("/quick");
    CHECK(peer.read_until("{}").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("connections beyond the bound are told so, and beyond that closed", "[http][server]") {
    const Fixture fixture;
    std::vector<std::unique_ptr<Peer>> held;
    for (int i = 0; i < 4; ++i) {
        held.push_back(std::make_unique<Peer>(fixture));
        held.back()->get("/waits");
    }
    Peer refused(fixture);
    refused.get("/quick");
    CHECK(refused.read_to_end().find("too_many_connections") != std::string::npos);
    held.clear();
    CHECK(eventually([&] {
        Peer peer(fixture);
        peer.get("/quick");
        return peer.read_until("{}").starts_with("HTTP/1.1 200 ");
    }));
}

TEST_CASE("a body that is handed over in pieces is counted by neither memory nor the time of a small one",
          "[http][server]") {
    const Fixture fixture(long_idle());
    Peer peer(fixture);
    const std::string piece(10'000, 'x');
    peer.send("PUT /pieces HTTP/1.1\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n" + std::string(kHead));
    CHECK(peer.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    for (int i = 0; i < 20; ++i) {
        peer.send(piece);
        std::this_thread::sleep_for(Milliseconds(20));  // longer in all than body_timeout and stream_stall
    }
    CHECK(peer.read_until(";").ends_with("bytes 200000;"));
    CHECK(fixture.largest <= 128 * 1024);
    peer.send("PUT /pieces HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + std::string(kHead) + "3\r\nabc\r\n");
    peer.send("2\r\nde\r\n0\r\n\r\n");
    CHECK(peer.read_until(";").ends_with("bytes 5;"));
    peer.send("PUT /pieces HTTP/1.1\r\nContent-Length: 0\r\n" + std::string(kHead));
    CHECK(peer.read_until(";").ends_with("bytes 0;"));
}

TEST_CASE("a body in pieces that is too long, stalls or is cut short ends with a word about it", "[http][server]") {
    Fixture fixture;
    Peer announced(fixture);
    announced.send("PUT /pieces HTTP/1.1\r\nContent-Length: 300001\r\n" + std::string(kHead));
    CHECK(announced.read_to_end().starts_with("HTTP/1.1 413 "));
    CHECK(fixture.cut_off == 0);
    Peer chunked(fixture);
    chunked.send("PUT /pieces HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + std::string(kHead) + "493e1\r\n");
    CHECK(chunked.read_to_end().find("body_too_large") != std::string::npos);
    CHECK(fixture.cut_off == 1);
    Peer stalled(fixture);
    stalled.send("PUT /pieces HTTP/1.1\r\nContent-Length: 10\r\n" + std::string(kHead) + "abc");
    CHECK(stalled.read_to_end().starts_with("HTTP/1.1 408 "));
    CHECK(fixture.cut_off == 2);
    Peer shut(fixture);
    shut.send("PUT /pieces HTTP/1.1\r\nContent-Length: 10\r\n" + std::string(kHead) + "abc");
    shut.send_no_more();
    CHECK(shut.read_to_end().starts_with("HTTP/1.1 400 "));
    CHECK(fixture.cut_off == 3);
    {
        Peer left(fixture);
        left.send("PUT /pieces HTTP/1.1\r\nContent-Length: 10\r\n" + std::string(kHead) + "abc");
    }
    CHECK(eventually([&] { return fixture.cut_off == 4; }));
}

TEST_CASE("what a handler leaves unread of a body is not a request", "[http][server]") {
    const Fixture fixture(long_idle());
    Peer peer(fixture);
    peer.send("PUT /unread HTTP/1.1\r\nContent-Length: 40\r\n" + std::string(kHead) + "GET /quick HTTP/1.1\r\n");
    const auto answered = peer.read_to_end();
    CHECK(answered.starts_with("HTTP/1.1 200 "));
    CHECK(answered.find("Connection: close") != std::string::npos);
    CHECK(answered.find("HTTP/1.1 ", 10) == std::string::npos);
}
