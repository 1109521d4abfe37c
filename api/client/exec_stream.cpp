#include "api/client/exec_stream.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <cerrno>
#include <deque>
#include <nlohmann/json.hpp>

#include "api/client/connect.h"

namespace jaild::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using nlohmann::json;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPiece = 32 * 1024;
/// What may be under way to the program before it has read it; the daemon's own limit is 256 KiB.
constexpr std::size_t kWindow = 192 * 1024;
constexpr char kInput = 0;

Error broken(const std::string& why) {
    return {.code = Errc::kernel,
            .op = "exec",
            .detail = "the connection to jaild broke, and the program ends with it: " + why,
            .reason = "connection_lost"};
}

/// All of it, also to a descriptor that somebody has set to not block.
bool write_whole(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::write(descriptor, bytes.data(), bytes.size());
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
            (void)::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

}  // namespace

class ExecStream::Impl {
public:
    Impl(Endpoint endpoint, std::string token, ExecSettings settings)
        : endpoint_(std::move(endpoint)), token_(std::move(token)), settings_(std::move(settings)) {
        room_.expires_at(asio::steady_timer::time_point::max());
    }

    Result<ExecEnd> run() {
        if (auto connected = connect(io_, socket_.next_layer(), endpoint_); !connected)
            return std::unexpected(connected.error());
        asio::co_spawn(io_, talk(), asio::detached);
        io_.run();
        if (failure_) return std::unexpected(*failure_);
        end_.timed_out = timed_out_;
        return end_;
    }

    void send_later(json message) {
        asio::post(io_, [this, text = message.dump()]() mutable { send(Kind::text, std::move(text)); });
    }

private:
    enum class Kind { text, binary };
    struct Message {
        Kind kind;
        std::string bytes;
    };

    asio::awaitable<void> talk() {
        const bool ready = co_await shake_hands();
        if (ready) {
            open_ = true;
            // What was posted before comes after the order.
            waiting_.push_front({.kind = Kind::text, .bytes = settings_.order});
            begin_writing();
            if (settings_.input) asio::co_spawn(io_, read_input(), asio::detached);
            if (settings_.timeout.count() > 0) asio::co_spawn(io_, end_in_time(), asio::detached);
            co_await listen();
        }
        io_.stop();
    }

    asio::awaitable<bool> shake_hands() {
        socket_.next_layer().expires_never();
        auto limits = websocket::stream_base::timeout::suggested(beast::role_type::client);
        limits.idle_timeout = websocket::stream_base::none();
        socket_.set_option(limits);
        socket_.set_option(websocket::stream_base::decorator([this](websocket::request_type& request) {
            request.set(beast::http::field::user_agent, "jaildctl/" JAILD_VERSION);
            if (!token_.empty()) request.set(beast::http::field::authorization, "Bearer " + token_);
        }));
        socket_.auto_fragment(false);
        socket_.read_message_max(std::size_t{16} * 1024 * 1024);
        const auto host = endpoint_.path.empty() ? endpoint_.host + ":" + endpoint_.port : std::string("localhost");
        websocket::response_type answer;
        const auto [failure] = co_await socket_.async_handshake(answer, host, settings_.target, kTuple);
        if (!failure) co_return true;
        if (failure == websocket::error::upgrade_declined)
            end_.problem = Response{.status = answer.result_int(),
                                    .content_type = std::string(answer[beast::http::field::content_type]),
                                    .location = {},
                                    .body = std::move(answer.body())};
        else
            failure_ = broken(failure.message());
        co_return false;
    }

    asio::awaitable<void> listen() {
        bool told = false;
        while (true) {
            buffer_.clear();
            const auto [failure, count] = co_await socket_.async_read(buffer_, kTuple);
            if (failure && !told) failure_ = broken(failure.message());
            if (failure) co_return;
            const std::string_view bytes(static_cast<const char*>(buffer_.cdata().data()), buffer_.size());
            if (socket_.got_binary()) {
                if (!output(bytes)) co_return;
            } else {
                told = hear(bytes) || told;
            }
        }
    }

    bool output(std::string_view bytes) {
        if (bytes.empty()) return true;
        if (write_whole(bytes.front() == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes.substr(1))) return true;
        failure_ = Error::from_errno("write", errno, "output cannot be written");
        failure_->code = Errc::kernel;
        failure_->reason = "output_failed";
        return false;
    }

    /// True for the last word.
    bool hear(std::string_view text) {
        const auto message = json::parse(text, nullptr, false);
        if (!message.is_object()) return false;
        if (message.contains("input") && message["input"].is_number_unsigned()) {
            under_way_ -= std::min(under_way_, message["input"].get<std::size_t>());
            room_.cancel();
            return false;
        }
        if (message.contains("problem")) {
            const auto& problem = message["problem"];
            const unsigned status = problem.is_object() ? problem.value("status", 500U) : 500U;
            end_.problem = Response{.status = status, .content_type = {}, .location = {}, .body = problem.dump()};
            return true;
        }
        if (!message.contains("exit_code") || !message["exit_code"].is_number_integer()) return false;
        end_.exit_code = message["exit_code"].get<int>();
        return true;
    }

    asio::awaitable<void> read_input() {
        asio::posix::stream_descriptor input(io_);
        boost::system::error_code ignored;
        input.assign(::dup(STDIN_FILENO), ignored);
        std::array<char, kPiece> piece{};
        while (true) {
            while (under_way_ + kPiece > kWindow) (void)co_await room_.async_wait(kTuple);
            // A file is always readable, and epoll(7) says of one that it cannot be waited for.
            (void)co_await input.async_wait(asio::posix::stream_descriptor::wait_read, kTuple);
            const auto count = ::read(STDIN_FILENO, piece.data(), piece.size());
            if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (count <= 0) break;
            under_way_ += static_cast<std::size_t>(count);
            std::string bytes(1, kInput);
            bytes.append(piece.data(), static_cast<std::size_t>(count));
            send(Kind::binary, std::move(bytes));
        }
        send(Kind::text, json{{"stdin", "closed"}}.dump());
    }

    asio::awaitable<void> end_in_time() {
        asio::steady_timer timer(io_, settings_.timeout);
        (void)co_await timer.async_wait(kTuple);
        timed_out_ = true;
        send(Kind::text, json{{"signal", "TERM"}}.dump());
        timer.expires_after(settings_.grace);
        (void)co_await timer.async_wait(kTuple);
        send(Kind::text, json{{"signal", "KILL"}}.dump());
    }

    void send(Kind kind, std::string bytes) {
        waiting_.push_back({.kind = kind, .bytes = std::move(bytes)});
        begin_writing();
    }

    void begin_writing() {
        if (open_ && !std::exchange(writing_, true)) asio::co_spawn(io_, write_all(), asio::detached);
    }

    asio::awaitable<void> write_all() {
        while (!waiting_.empty()) {
            const auto message = std::move(waiting_.front());
            waiting_.pop_front();
            socket_.binary(message.kind == Kind::binary);
            const auto [failure, count] = co_await socket_.async_write(asio::buffer(message.bytes), kTuple);
            if (failure) break;  // whoever reads is told too
        }
        writing_ = false;
    }

    Endpoint endpoint_;
    std::string token_;
    ExecSettings settings_;
    asio::io_context io_{1};
    websocket::stream<Stream> socket_{io_};
    beast::flat_buffer buffer_;
    asio::steady_timer room_{io_};
    std::deque<Message> waiting_;
    std::size_t under_way_ = 0;
    bool open_ = false;
    bool writing_ = false;
    bool timed_out_ = false;
    ExecEnd end_;
    std::optional<Error> failure_;
};

ExecStream::ExecStream(Endpoint endpoint, std::string token, ExecSettings settings)
    : impl_(std::make_unique<Impl>(std::move(endpoint), std::move(token), std::move(settings))) {}
ExecStream::~ExecStream() = default;

Result<ExecEnd> ExecStream::run() {
    return impl_->run();
}

void ExecStream::signal(std::string name) {
    impl_->send_later({{"signal", std::move(name)}});
}

void ExecStream::resize(unsigned rows, unsigned columns) {
    impl_->send_later({{"resize", {{"rows", rows}, {"columns", columns}}}});
}

}  // namespace jaild::client
