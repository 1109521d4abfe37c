#include "api/http/connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "api/http/host_guard.h"
#include "api/http/offload.h"
#include "api/http/parser.h"
#include "api/http/peer.h"
#include "api/http/problem.h"
#include "api/http/web_socket.h"

namespace jaild::api {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kHeadRead = 4096;
constexpr std::size_t kBodyRead = 64 * 1024;
constexpr std::size_t kBufferMax = 128 * 1024;
constexpr std::size_t kReadAhead = 16 * 1024;  // of a next request, while one is answered
// Of a refused body, read and dropped: many a client reads no answer before it has sent all.
constexpr std::size_t kLingerMax = 256 * 1024 * 1024;
constexpr Milliseconds kLinger{2'000};
constexpr Milliseconds kLookForHalfClosed{200};  // Asio has no way to wait for POLLHUP alone
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
/// A client on TCP is asked whether it is still there, and a WebSocket answers.
constexpr Milliseconds kChannelSilence{120'000};
constexpr unsigned char kTlsHandshake = 0x16;  // RFC 8446 §5.1: the first byte of a ClientHello

/// The client ended the connection where it may: nothing is answered.
constexpr std::string_view kEnded = "ended";

Error ended() {
    return {.code = Errc::kernel, .op = "read", .reason = kEnded};
}

Error timed_out(std::string_view what, Milliseconds limit) {
    return {.code = Errc::busy,
            .op = "read",
            .detail = fmt::format("the {} did not arrive within {} s", what, limit.count() / 1000),
            .reason = "request_timeout"};
}

Error cut_short() {
    return {.code = Errc::invalid,
            .op = "read",
            .detail = "the connection ended in the middle of the request",
            .reason = "bad_request"};
}

}  // namespace

/// Writes a body in pieces: chunks (RFC 9112 §7.1), or for HTTP/1.0 as it is.
class Connection::ChunkSink : public Sink {
public:
    ChunkSink(Connection& connection, Framing framing) : connection_(connection), framing_(framing) {}

    asio::awaitable<bool> write(std::string_view bytes) override {
        if (!good_ || bytes.empty()) co_return good_;
        if (framing_ != Framing::chunked) {
            good_ = co_await connection_.write_all(bytes, {});
            co_return good_;
        }
        piece_.clear();
        fmt::format_to(std::back_inserter(piece_), "{:x}\r\n", bytes.size());
        piece_.append(bytes).append("\r\n");
        good_ = co_await connection_.write_all(piece_, {});
        co_return good_;
    }

    asio::awaitable<bool> finish() {
        if (good_ && framing_ == Framing::chunked) good_ = co_await connection_.write_all("0\r\n\r\n", {});
        co_return good_;
    }

private:
    Connection& connection_;
    Framing framing_;
    std::string piece_;
    bool good_ = true;
};

/// Reads a body in pieces.
class Connection::BodySource : public Source {
public:
    BodySource(Connection& connection, const Request& request, RequestParser& parser)
        : connection_(connection), request_(request), parser_(parser) {}

    asio::awaitable<Result<std::string_view>> read() override {
        if (!failure_ && connection_.stopping()) failure_ = ended();
        if (failure_) co_return std::unexpected(*failure_);
        if (!std::exchange(begun_, true) && !parser_.done()) {
            const bool there = co_await connection_.ask_for_body(request_);
            if (!there) failure_ = ended();
        }
        const auto limit = connection_.settings_.limits.stream_stall;
        connection_.set_deadline(limit);
        parser_.take(piece_);
        while (!failure_ && piece_.empty() && !parser_.done()) {
            failure_ = co_await connection_.feed_body(parser_, "rest of the body", limit);
            parser_.take(piece_);
        }
        connection_.clear_deadline();
        if (failure_) co_return std::unexpected(*failure_);
        co_return std::string_view(piece_);
    }

    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

private:
    Connection& connection_;
    const Request& request_;
    RequestParser& parser_;
    std::string piece_;
    std::optional<Error> failure_;
    bool begun_ = false;
};

Connection::Connection(Socket socket, Transport transport, ConnectionSettings& settings, std::optional<Error> refusal)
    : socket_(std::move(socket)),
      transport_(transport),
      settings_(settings),
      refusal_(std::move(refusal)),
      buffer_(kBufferMax),
      ending_(socket_.get_executor(), Time::max()) {}

asio::awaitable<void> Connection::run() {
    const auto self = shared_from_this();
    try {
        if (transport_ == Transport::unix_socket && !refusal_) co_await identify();
        while (!settings_.stopping && !at_end()) {
            const auto next = co_await serve_one();
            if (next == Next::close) break;
        }
        co_await linger();
    } catch (const std::exception& error) {
        // Only what no handler threw: out of memory, a descriptor taken away.
        spdlog::error("a connection ended: {}", error.what());
    }
    boost::system::error_code ignored;
    socket_.close(ignored);
}

asio::awaitable<void> Connection::identify() {
    const int descriptor = socket_.native_handle();
    const auto operators = settings_.operators;
    auto caller = caller_of_peer(descriptor, operators);
    if (!caller)
        caller = co_await offload(
            settings_.pool, [descriptor, operators] { return caller_of_peer_by_database(descriptor, operators); });
    if (*caller)
        peer_ = **std::move(caller);
    else
        refusal_ = std::move(caller->error());
}

void Connection::set_deadline(Milliseconds from_now) {
    expired_ = false;
    deadline_ = std::chrono::steady_clock::now() + from_now;
}

void Connection::check_deadline(Time now) {
    if (now < deadline_) return;
    deadline_ = Time::max();
    expired_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void Connection::stop() {
    ending_.cancel();
    if (!idle_) return;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

asio::awaitable<void> Connection::gone() {
    const auto watch = [this]() -> asio::awaitable<void> {
        while (!half_closed_ && buffer_.size() < kReadAhead) {
            const auto read = co_await read_some(kHeadRead);
            if (!read) co_return;
        }
        if (half_closed_) co_return co_await closed();
        // More of the next request than we look at: whether the client is still there, a write will show.
        co_await ending_.async_wait(kTuple);
    };
    const auto stopped = [this]() -> asio::awaitable<void> { co_await ending_.async_wait(kTuple); };
    if (settings_.stopping) co_return;
    co_await (watch() || stopped());
}

asio::awaitable<Result<std::unique_ptr<Channel>>> Connection::upgrade(const Request& request) {
    if (auto asked = check_upgrade(request); !asked) co_return std::unexpected(asked.error());
    // It has to wait for the answer (RFC 6455 §4.1).
    if (buffer_.size() > 0 || version_ < 11)
        co_return std::unexpected(Error{.code = Errc::invalid,
                                        .op = "upgrade",
                                        .detail = "the client did not wait for the answer to its handshake",
                                        .reason = "bad_request"});
    upgraded_ = true;
    const auto silence = transport_ == Transport::tcp ? kChannelSilence : Milliseconds{0};
    co_return co_await accept_web_socket(socket_, request, {.idle_timeout = silence, .ending = ending_});
}

asio::awaitable<void> Connection::closed() {
    // TCP says the same of a client that left and of one that only has nothing more to send.
    if (transport_ == Transport::tcp) co_return;
    asio::steady_timer timer(socket_.get_executor());
    while (true) {
        pollfd peer{.fd = socket_.native_handle(), .events = 0, .revents = 0};
        if (::poll(&peer, 1, 0) != 0) co_return;  // POLLHUP: both directions are shut
        timer.expires_after(kLookForHalfClosed);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<Result<std::size_t>> Connection::read_some(std::size_t at_most) {
    // Asio waits for an edge, and the end of a stream is one only once.
    if (half_closed_) co_return std::size_t{0};
    const auto room = std::min(at_most, buffer_.max_size() - buffer_.size());
    if (room == 0)
        co_return std::unexpected(Error{.code = Errc::invalid,
                                        .op = "read",
                                        .detail = "a line of the body's framing is too long",
                                        .reason = "bad_framing"});
    const auto [failure, count] = co_await socket_.async_read_some(buffer_.prepare(room), kTuple);
    buffer_.commit(count);
    if (failure == asio::error::eof) {
        half_closed_ = true;
        co_return std::size_t{0};
    }
    if (failure) co_return std::unexpected(ended());
    co_return count;
}

void Connection::skip_empty_lines() {
    // RFC 9112 §2.2: an empty line before the request line is ignored.
    while (buffer_.size() > 0) {
        const char first = *static_cast<const char*>(buffer_.data().data());
        if (first != '\r' && first != '\n') return;
        buffer_.consume(1);
    }
}

asio::awaitable<std::optional<Error>> Connection::read_head(RequestParser& parser) {
    skip_empty_lines();
    if (buffer_.size() == 0) {
        idle_ = true;
        set_deadline(served_ ? settings_.limits.idle_timeout : settings_.limits.header_timeout);
    } else {
        set_deadline(settings_.limits.header_timeout);
    }
    bool begun = false;  // the parser has taken some of it: an empty line is the head's end from here on
    while (true) {
        const auto bytes = buffer_.data();
        const std::string_view text(static_cast<const char*>(bytes.data()), bytes.size());
        if (!text.empty()) {
            if (!begun && static_cast<unsigned char>(text.front()) == kTlsHandshake)
                co_return Error{.code = Errc::invalid,
                                .op = "read",
                                .detail = "this port speaks plain HTTP, not TLS",
                                .reason = "tls_on_plain_port",
                                .remedy = "use http://"};
            auto taken = parser.put(text);
            if (!taken) co_return std::move(taken.error());
            buffer_.consume(*taken);
            if (parser.has_head()) co_return std::nullopt;
            begun = begun || *taken > 0;
        }
        const auto read = co_await read_some(kHeadRead);
        if (!read && expired_ && !idle_) co_return timed_out("head of the request", settings_.limits.header_timeout);
        if (!read) co_return ended();
        if (*read == 0) co_return idle_ ? ended() : cut_short();
        if (!begun) skip_empty_lines();
        if (idle_ && buffer_.size() > 0) {
            idle_ = false;
            set_deadline(settings_.limits.header_timeout);
        }
    }
}

asio::awaitable<std::optional<Error>> Connection::feed_body(RequestParser& parser, std::string_view what,
                                                            Milliseconds limit) {
    if (buffer_.size() > 0) {
        const auto bytes = buffer_.data();
        auto taken = parser.put({static_cast<const char*>(bytes.data()), bytes.size()});
        if (!taken) co_return std::move(taken.error());
        buffer_.consume(*taken);
        if (*taken > 0) co_return std::nullopt;
    }
    auto read = co_await read_some(kBodyRead);
    if (!read && expired_) co_return timed_out(what, limit);
    if (!read) co_return std::move(read.error());
    if (*read == 0) co_return cut_short();
    co_return std::nullopt;
}

asio::awaitable<std::optional<Error>> Connection::read_body(RequestParser& parser) {
    const auto limit = settings_.limits.body_timeout;
    set_deadline(limit);
    std::optional<Error> failure;
    while (!failure && !parser.done()) failure = co_await feed_body(parser, "body", limit);
    clear_deadline();
    co_return failure;
}

asio::awaitable<bool> Connection::ask_for_body(const Request& request) {
    if (!request.field("Expect") || version_ < 11 || buffer_.size() > 0) co_return true;
    co_return co_await write_all(kContinue, {});
}

asio::awaitable<Connection::Next> Connection::serve_one() {
    RequestParser parser(settings_.limits);
    auto failure = co_await read_head(parser);
    idle_ = false;
    clear_deadline();
    if (failure && failure->reason == kEnded) co_return Next::close;
    if (failure) co_return co_await refuse(*failure, nullptr, Next::close);
    served_ = true;
    version_ = parser.version();
    auto request = parser.request();
    request.client = this;
    if (refusal_) co_return co_await refuse(*refusal_, &request, Next::close);
    co_return co_await answer(request, parser);
}

asio::awaitable<Connection::Next> Connection::answer(Request& request, RequestParser& parser) {
    // Before the body is read, a refusal costs the connection: what follows in it is not a request.
    const auto unread = parser.done() && parser.keep_alive() ? Next::keep : Next::close;
    if (auto form = parser.check_form(request); !form) co_return co_await refuse(form.error(), &request, Next::close);
    auto target = parse_target(request.raw_target);
    if (!target) co_return co_await refuse(target.error(), &request, unread);
    request.target = *std::move(target);
    if (auto host = check_authority(request); !host) co_return co_await refuse(host.error(), &request, unread);

    auto match = settings_.router.find(request.method, request.target);
    if (auto known = authenticate(request, match ? match->route : nullptr); !known)
        co_return co_await refuse(known.error(), &request, unread);
    if (request.method == Method::options) co_return co_await options(request, unread);
    if (!match) co_return co_await refuse(match.error(), &request, unread);
    const auto& route = *match->route;
    request.parameter = std::move(match->parameter);
    request.item = std::move(match->item);
    if (auto known = check_parameters(route, request.target.query); !known)
        co_return co_await refuse(known.error(), &request, unread);
    if (auto content = check_content(route, request, !parser.done()); !content)
        co_return co_await refuse(content.error(), &request, unread);

    const bool streamed = route.content == Content::stream;
    const auto& limits = settings_.limits;
    if (auto allowed = parser.allow_body(streamed ? limits.stream_bytes : limits.body_bytes); !allowed)
        co_return co_await refuse(allowed.error(), &request, unread);
    if (streamed) co_return co_await answer_stream(request, parser, route);

    if (!parser.done()) {
        const bool there = co_await ask_for_body(request);
        if (!there) co_return Next::close;
        auto failure = co_await read_body(parser);
        if (failure && failure->reason == kEnded) co_return Next::close;
        if (failure) co_return co_await refuse(*failure, &request, Next::close);
        request.body = parser.body();
    }
    auto response = co_await handle(request, route);
    co_return co_await respond(std::move(response), &request, parser.keep_alive() ? Next::keep : Next::close);
}

asio::awaitable<Connection::Next> Connection::answer_stream(Request& request, RequestParser& parser,
                                                            const Route& route) {
    BodySource source(*this, request, parser);
    request.source = &source;
    auto response = co_await handle(request, route);
    if (source.failure() && source.failure()->reason == kEnded) co_return Next::close;
    // What nobody read of the body is not a request.
    const bool whole = parser.done() && parser.keep_alive();
    co_return co_await respond(std::move(response), &request, whole ? Next::keep : Next::close);
}

Result<void> Connection::check_authority(const Request& request) const {
    auto host = request_host(request);
    // The absolute form's authority outranks Host (RFC 9112 §3.2.2).
    if (host && !request.target.authority.empty()) host = host_of(request.target.authority);
    if (!host) return std::unexpected(host.error());
    // A browser cannot reach a UNIX socket.
    if (transport_ == Transport::unix_socket) return {};
    return check_host(*host, settings_.allowed_hosts);
}

Result<void> Connection::authenticate(Request& request, const Route* route) const {
    const bool open = route && route->access == Access::anyone;
    if (transport_ == Transport::unix_socket) {
        request.caller = *peer_;
    } else if (!open) {
        auto caller = settings_.tokens.caller_of(request);
        if (!caller) return std::unexpected(caller.error());
        request.caller = *std::move(caller);
    }
    if (!route || open || route->access != Access::operator_ || request.caller.role >= Role::operator_) return {};
    return std::unexpected(Error{.code = Errc::denied,
                                 .op = "authorize",
                                 .detail = fmt::format("{} may only read", request.caller.principal),
                                 .reason = "role_too_low",
                                 .remedy = "ask as root, or with an operator's token"});
}

asio::awaitable<Response> Connection::handle(Request& request, const Route& route) {
    try {
        if (const auto* quick = std::get_if<QuickHandler>(&route.handler)) co_return (*quick)(request);
        const auto& handler = std::get<Handler>(route.handler);
        co_return co_await handler(request);
    } catch (const std::exception& error) {
        spdlog::error("{} {}: {}", to_string(request.method), request.raw_target, error.what());
    }
    co_return problem(Error{.code = Errc::corrupt,
                            .op = "handle",
                            .detail = "jaild failed in a way that it did not foresee; its log says more",
                            .reason = "internal"});
}

asio::awaitable<Connection::Next> Connection::options(const Request& request, Next next) {
    Response response{.status = 204};
    response.fields.emplace_back("Allow", settings_.router.allowed(request.target));
    if (!response.fields.back().second.empty()) co_return co_await respond(std::move(response), &request, next);
    auto missing = settings_.router.find(Method::options, request.target);
    co_return co_await refuse(missing.error(), &request, next);
}

asio::awaitable<Connection::Next> Connection::refuse(const Error& error, const Request* request, Next next) {
    auto response = problem(error);
    if (error.reason == "method_not_allowed" && request)
        response.fields.emplace_back("Allow", settings_.router.allowed(request->target));
    co_return co_await respond(std::move(response), request, next);
}

asio::awaitable<Connection::Next> Connection::respond(Response response, const Request* request, Next next) {
    if (upgraded_) {
        abort_ = true;
        co_return Next::close;
    }
    if (settings_.stopping || at_end()) next = Next::close;
    if (request)
        spdlog::debug("{} {} {} {}", request->caller.principal, to_string(request->method), request->raw_target,
                      response.status);
    if (request && response.status == 500)
        spdlog::warn("{} {}: {}", to_string(request->method), request->raw_target, response.content());
    if (response.stream && request) co_return co_await respond_stream(std::move(response), *request, next);
    write_head(head_, response, Framing::length, next == Next::keep, settings_.date.now());
    const bool with_body = !(request && request->method == Method::head) && response.status != 304;
    const bool written = co_await write_all(head_, with_body ? response.content() : std::string_view{});
    co_return written ? next : Next::close;
}

asio::awaitable<Connection::Next> Connection::respond_stream(Response response, const Request& request, Next next) {
    const auto framing = version_ >= 11 ? Framing::chunked : Framing::close;
    if (framing == Framing::close) next = Next::close;
    write_head(head_, response, framing, next == Next::keep, settings_.date.now());
    const bool begun = co_await write_all(head_, {});
    if (!begun) co_return Next::close;
    if (request.method == Method::head) co_return next;
    ChunkSink sink(*this, framing);
    try {
        co_await response.stream(sink);
    } catch (const std::exception& error) {
        // The status is sent already: an unfinished body is all that can still be said.
        spdlog::error("{} {}: {}", to_string(request.method), request.raw_target, error.what());
        abort_ = true;
        co_return Next::close;
    }
    const bool finished = co_await sink.finish();
    co_return finished ? next : Next::close;
}

asio::awaitable<bool> Connection::write_all(std::string_view head, std::string_view body) {
    std::array<asio::const_buffer, 2> left{asio::buffer(head.data(), head.size()),
                                           asio::buffer(body.data(), body.size())};
    while (asio::buffer_size(left) > 0) {
        set_deadline(settings_.limits.write_timeout);
        const auto [failure, count] = co_await socket_.async_write_some(left, kTuple);
        if (failure) {
            if (expired_) spdlog::info("a client that takes nothing was dropped");
            abort_ = true;
            co_return false;
        }
        const auto of_head = std::min(count, left[0].size());
        left[0] += of_head;
        left[1] += count - of_head;
    }
    clear_deadline();
    co_return true;
}

asio::awaitable<void> Connection::linger() {
    if (abort_) co_return;
    boost::system::error_code failure;
    socket_.shutdown(Socket::shutdown_send, failure);
    if (failure) co_return;
    // Closing with bytes unread resets a TCP connection, and the client would never see why it was refused.
    set_deadline(kLinger);
    std::size_t dropped = 0;
    while (!half_closed_ && dropped < kLingerMax) {
        buffer_.clear();
        const auto read = co_await read_some(kBodyRead);
        if (!read || *read == 0) break;
        dropped += *read;
    }
    clear_deadline();
}

}  // namespace jaild::api
