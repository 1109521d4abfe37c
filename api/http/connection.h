#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/http/head.h"
#include "api/http/limits.h"
#include "api/http/message.h"
#include "api/http/router.h"
#include "api/http/tokens.h"

namespace jaild::api {

class RequestParser;

enum class Transport { unix_socket, tcp };

/// What all connections of a server share. Outlives them; I/O thread.
struct ConnectionSettings {
    const Limits& limits;
    const Router& router;
    const Tokens& tokens;
    const std::vector<std::string>& allowed_hosts;
    std::optional<gid_t> operators;  ///< the group that may use the UNIX socket
    asio::thread_pool& pool;
    HttpDate date{};
    bool stopping = false;
};

/// One client: reads a request, answers it, reads the next. I/O thread; kept alive by the coroutine of run().
class Connection : public std::enable_shared_from_this<Connection>, public Client {
public:
    using Socket = asio::generic::stream_protocol::socket;
    using Time = std::chrono::steady_clock::time_point;

    /// `refusal`: answer the first request with this and close.
    Connection(Socket socket, Transport transport, ConnectionSettings& settings, std::optional<Error> refusal);

    /// Until the connection ends. Never throws.
    asio::awaitable<void> run();
    /// Ends what waits for longer than it may; called a few times a second.
    void check_deadline(Time now);
    /// Ends an idle connection now, one that answers after its answer, one that streams soon.
    void stop();

    asio::awaitable<void> gone() override;
    asio::awaitable<Result<std::unique_ptr<Channel>>> upgrade(const Request& request) override;
    [[nodiscard]] bool stopping() const override { return settings_.stopping; }

private:
    class ChunkSink;
    class BodySource;
    enum class Next { keep, close };

    asio::awaitable<Next> serve_one();
    /// Nothing when the head is complete. An Error with reason "ended": the client left where it may.
    asio::awaitable<std::optional<Error>> read_head(RequestParser& parser);
    asio::awaitable<std::optional<Error>> read_body(RequestParser& parser);
    /// Hands the parser some more of the body. The deadline is the caller's.
    asio::awaitable<std::optional<Error>> feed_body(RequestParser& parser, std::string_view what, Milliseconds limit);
    /// "100 Continue", to a client that waits for it. False when it is gone.
    asio::awaitable<bool> ask_for_body(const Request& request);
    asio::awaitable<Next> answer(Request& request, RequestParser& parser);
    asio::awaitable<Next> answer_stream(Request& request, RequestParser& parser, const Route& route);
    asio::awaitable<Response> handle(Request& request, const Route& route);
    asio::awaitable<Next> options(const Request& request, Next next);
    Result<void> check_authority(const Request& request) const;
    Result<void> authenticate(Request& request, const Route* route) const;

    asio::awaitable<Next> refuse(const Error& error, const Request* request, Next next);
    asio::awaitable<Next> respond(Response response, const Request* request, Next next);
    asio::awaitable<Next> respond_stream(Response response, const Request& request, Next next);
    asio::awaitable<void> linger();
    asio::awaitable<void> identify();
    /// After the end of what it sends: until the client reads no more either, where that can be known.
    asio::awaitable<void> closed();
    /// No request will come any more.
    [[nodiscard]] bool at_end() const { return half_closed_ && buffer_.size() == 0; }

    /// More bytes into buffer_; 0 at the end of the stream.
    asio::awaitable<Result<std::size_t>> read_some(std::size_t at_most);
    /// False when the client is gone, or took nothing for Limits::write_timeout.
    asio::awaitable<bool> write_all(std::string_view head, std::string_view body);
    void set_deadline(Milliseconds from_now);
    void clear_deadline() { deadline_ = Time::max(); }
    void skip_empty_lines();

    Socket socket_;
    Transport transport_;
    ConnectionSettings& settings_;
    std::optional<Error> refusal_;
    std::optional<Caller> peer_;  ///< of a UNIX socket
    boost::beast::flat_buffer buffer_;
    std::string head_;           ///< of the response; kept for its memory
    asio::steady_timer ending_;  ///< cancelled by stop(): wakes gone()
    Time deadline_ = Time::max();
    unsigned version_ = 11;
    bool expired_ = false;
    bool idle_ = false;
    bool served_ = false;  ///< a request has come
    bool half_closed_ = false;
    bool abort_ = false;  ///< nothing more can be said to this client
    bool upgraded_ = false;
};

}  // namespace jaild::api
