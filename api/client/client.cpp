#include "api/client/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <limits>
#include <optional>
#include <sstream>

#include "api/client/connect.h"

namespace jaild::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Parser = http::response_parser<http::buffer_body>;

constexpr std::size_t kChunk = 16 * 1024;
constexpr std::size_t kMaxBody = 64 * 1024 * 1024;
constexpr std::string_view kTimeout = "timeout";

Error transfer_error(const boost::system::error_code& error) {
    if (error == beast::error::timeout)
        return Error{.code = Errc::busy, .op = "http", .detail = "jaild did not answer in time", .reason = kTimeout};
    return Error{
        .code = Errc::kernel, .op = "http", .detail = fmt::format("the connection broke: {}", error.message())};
}

Response head_of(const Parser& parser) {
    const auto& head = parser.get();
    return {.status = head.result_int(),
            .content_type = std::string(head[http::field::content_type]),
            .location = std::string(head[http::field::location])};
}

}  // namespace

/// Beast's timeouts work on asynchronous calls only, so each call is one, and io_ runs until it is done.
class Client::Impl {
public:
    Impl(Endpoint endpoint, std::string token) : endpoint_(std::move(endpoint)), token_(std::move(token)) {}

    [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
    [[nodiscard]] const std::string& token() const { return token_; }

    using OnData = std::function<bool(std::string_view)>;

    Result<Response> exchange(const Request& request, bool bounded, const OnData& on_data) {
        const bool reused = stream_.has_value();
        if (!stream_)
            if (auto connected = connect(std::min(request.timeout, kConnect)); !connected)
                return std::unexpected(connected.error());
        if (bounded)
            stream_->expires_after(request.timeout);
        else
            stream_->expires_never();
        Parser parser;
        parser.body_limit(bounded ? kMaxBody : std::numeric_limits<std::uint64_t>::max());
        if (request.method == "HEAD") parser.skip(true);
        if (auto begun = begin(request, bounded, parser); !begun) {
            stream_.reset();
            buffer_.clear();
            // The daemon has closed it meanwhile; whether there is one is for a new connection to say.
            if (reused && request.method == "GET" && begun.error().reason != kTimeout)
                return exchange(request, bounded, on_data);
            return std::unexpected(begun.error());
        }
        auto response = head_of(parser);
        const bool streamed = on_data && response.status / 100 == 2;
        auto read = read_body(parser, [&](std::string_view data) {
            if (streamed) return on_data(data);
            response.body += data;
            return true;
        });
        if (!read || !parser.is_done() || !parser.keep_alive()) {
            stream_.reset();
            buffer_.clear();
        }
        if (!read) return std::unexpected(read.error());
        return response;
    }

private:
    Result<void> connect(Milliseconds within) {
        stream_.emplace(io_);
        auto connected = client::connect(io_, *stream_, endpoint_, within);
        if (!connected) stream_.reset();
        return connected;
    }

    /// All that is sent, and the head of the answer.
    Result<void> begin(const Request& request, bool bounded, Parser& parser) {
        if (!request.upload) return read_head(parser, send_whole(request));
        const auto sent = send_upload(request, bounded);
        return sent ? read_head(parser, *sent) : std::unexpected(sent.error());
    }

    template <class Message>
    void fill(Message& message, const Request& request) const {
        message.method_string(request.method);
        message.target(request.target);
        message.version(11);
        const bool tcp = endpoint_.path.empty();
        message.set(http::field::host, tcp ? fmt::format("{}:{}", endpoint_.host, endpoint_.port) : "localhost");
        message.set(http::field::user_agent, "jaildctl/" JAILD_VERSION);
        if (!token_.empty()) message.set(http::field::authorization, "Bearer " + token_);
        for (const auto& [name, value] : request.headers) message.set(name, value);
    }

    /// What went wrong in sending is told when there is no answer either: a server that refuses early (413) may close
    /// before all is written, and its answer is still there to be read.
    using Sent = boost::system::error_code;

    Sent send_whole(const Request& request) {
        http::request<http::string_body> message;
        fill(message, request);
        if (!request.body.empty()) {
            message.set(http::field::content_type, request.content_type);
            message.body() = request.body;
        }
        message.prepare_payload();
        return wait([&](Done done) { http::async_write(*stream_, message, std::move(done)); });
    }

    /// The head, then one chunk for each piece, until the end or an answer.
    Result<Sent> send_upload(const Request& request, bool bounded) {
        http::request<http::empty_body> message;
        fill(message, request);
        message.set(http::field::content_type, "application/octet-stream");
        message.chunked(true);
        std::ostringstream text;
        text << message.base();
        const auto head = text.str();
        auto failed = wait([&](Done done) { asio::async_write(*stream_, asio::buffer(head), std::move(done)); });
        while (!failed) {
            boost::system::error_code ignored;
            if (stream_->socket().available(ignored) > 0) return failed;
            const auto piece = request.upload();
            if (!piece) {
                stream_.reset();
                return std::unexpected(piece.error());
            }
            if (bounded) stream_->expires_after(request.timeout);
            // RFC 9112 §7.1: a chunk; the one of no bytes is the last, and there is nothing behind it.
            const auto size = fmt::format("{:x}\r\n", piece->size());
            const std::array chunk{asio::buffer(size), asio::buffer(*piece), asio::buffer("\r\n", 2)};
            failed = wait([&](Done done) { asio::async_write(*stream_, chunk, std::move(done)); });
            if (piece->empty()) return failed;
        }
        return failed;
    }

    Result<void> read_head(Parser& parser, Sent sent) {
        const auto unread =
            wait([&](Done done) { http::async_read_header(*stream_, buffer_, parser, std::move(done)); });
        if (unread) return std::unexpected(transfer_error(sent ? sent : unread));
        return {};
    }

    Result<void> read_body(Parser& parser, const OnData& on_data) {
        std::string chunk(kChunk, '\0');
        while (!parser.is_done()) {
            parser.get().body().data = chunk.data();
            parser.get().body().size = chunk.size();
            auto failed = wait([&](Done done) { http::async_read_some(*stream_, buffer_, parser, std::move(done)); });
            if (failed == http::error::need_buffer) failed = {};
            if (failed) return std::unexpected(transfer_error(failed));
            const auto size = chunk.size() - parser.get().body().size;
            if (size > 0 && !on_data(std::string_view(chunk.data(), size))) return {};
        }
        return {};
    }

    using Done = std::function<void(boost::system::error_code, std::size_t)>;
    /// Starts a call and runs it to its end.
    boost::system::error_code wait(const std::function<void(Done)>& start) {
        boost::system::error_code failed;
        start([&failed](boost::system::error_code error, std::size_t) { failed = error; });
        io_.restart();
        io_.run();
        return failed;
    }

    Endpoint endpoint_;
    std::string token_;
    asio::io_context io_{1};
    std::optional<Stream> stream_;
    beast::flat_buffer buffer_;
};

Client::Client(Endpoint endpoint, std::string token)
    : impl_(std::make_unique<Impl>(std::move(endpoint), std::move(token))) {}
Client::~Client() = default;

const Endpoint& Client::endpoint() const {
    return impl_->endpoint();
}

const std::string& Client::token() const {
    return impl_->token();
}

Result<Response> Client::send(const Request& request) {
    return impl_->exchange(request, true, {});
}

Result<Response> Client::stream(const Request& request, const std::function<bool(std::string_view)>& on_data) {
    return impl_->exchange(request, false, on_data);
}

std::string encode(std::string_view segment) {
    std::string text;
    for (const char byte : segment) {
        const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
        text += plain ? std::string(1, byte) : fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
    return text;
}

}  // namespace jaild::client
