#include "api/http/web_socket.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket.hpp>

namespace jaild::api {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using Socket = asio::generic::stream_protocol::socket;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kHandshake{10};  // also of the end

Error left() {
    return {.code = Errc::kernel, .op = "websocket", .detail = "the client is gone", .reason = "client_closed"};
}

/// The request as Beast has one.
http::request<http::empty_body> head_of(const Request& request) {
    http::request<http::empty_body> head;
    head.method(http::verb::get);
    head.target(std::string(request.raw_target));
    head.version(11);
    for (const auto& [name, value] : request.fields) head.insert(std::string(name), std::string(value));
    return head;
}

class WebSocket final : public Channel {
public:
    WebSocket(Socket& socket, const WebSocketSettings& settings)
        : stream_(socket), turn_(socket.get_executor()), ending_(settings.ending) {
        websocket::stream_base::timeout limits{};
        limits.handshake_timeout = kHandshake;
        limits.idle_timeout =
            settings.idle_timeout.count() == 0 ? websocket::stream_base::none() : settings.idle_timeout;
        limits.keep_alive_pings = true;
        stream_.set_option(limits);
        stream_.set_option(websocket::stream_base::decorator(
            [](websocket::response_type& response) { response.set(http::field::server, "jaild"); }));
        stream_.read_message_max(kMessageMax);
        stream_.auto_fragment(false);
        turn_.expires_at(asio::steady_timer::time_point::max());
    }

    asio::awaitable<Result<void>> accept(const Request& request) {
        const auto head = head_of(request);
        const auto [failure] = co_await stream_.async_accept(head, kTuple);
        if (failure) co_return std::unexpected(left());
        co_return Result<void>{};
    }

    asio::awaitable<Result<Message>> read() override {
        buffer_.clear();
        const auto [failure, count] = co_await stream_.async_read(buffer_, kTuple);
        if (failure) co_return std::unexpected(left());
        const auto data = buffer_.cdata();
        co_return Message{.kind = stream_.got_binary() ? Kind::binary : Kind::text,
                          .bytes = std::string(static_cast<const char*>(data.data()), data.size())};
    }

    asio::awaitable<bool> write(Kind kind, std::string_view bytes) override {
        // Beast takes one message at a time.
        while (writing_) co_await turn_.async_wait(kTuple);
        if (broken_) co_return false;
        writing_ = true;
        stream_.binary(kind == Kind::binary);
        const auto [failure, count] = co_await stream_.async_write(asio::buffer(bytes.data(), bytes.size()), kTuple);
        writing_ = false;
        broken_ = broken_ || failure;
        turn_.cancel();
        co_return !broken_;
    }

    asio::awaitable<void> close() override {
        while (writing_) co_await turn_.async_wait(kTuple);
        if (broken_) co_return;
        (void)co_await stream_.async_close(websocket::close_code::normal, kTuple);
    }

    asio::awaitable<void> stopping() override { co_await ending_.async_wait(kTuple); }

private:
    websocket::stream<Socket&> stream_;
    beast::flat_buffer buffer_;
    asio::steady_timer turn_;  ///< cancelled when a write has ended
    asio::steady_timer& ending_;
    bool writing_ = false;
    bool broken_ = false;
};

}  // namespace

Result<void> check_upgrade(const Request& request) {
    if (request.method == Method::get && websocket::is_upgrade(head_of(request)) &&
        request.field("Sec-WebSocket-Key") && request.field("Sec-WebSocket-Version") == "13")
        return {};
    return std::unexpected(Error{.code = Errc::invalid,
                                 .op = "upgrade",
                                 .detail = "this is answered over a WebSocket (RFC 6455) only",
                                 .reason = "upgrade_required",
                                 .remedy = "ask for one: Connection: Upgrade, Upgrade: websocket, "
                                           "Sec-WebSocket-Version: 13, Sec-WebSocket-Key; or use POST"});
}

asio::awaitable<Result<std::unique_ptr<Channel>>> accept_web_socket(Socket& socket, const Request& request,
                                                                    WebSocketSettings settings) {
    auto made = std::make_unique<WebSocket>(socket, settings);
    const auto accepted = co_await made->accept(request);
    if (!accepted) co_return std::unexpected(accepted.error());
    co_return std::unique_ptr<Channel>(std::move(made));
}

}  // namespace jaild::api
