#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/channel.h"
#include "api/http/target.h"
#include "core/base/error.h"
#include "core/caller.h"

/// A request and a response as handlers see them. Everything here lives on the I/O thread.
namespace jaild::api {

namespace asio = boost::asio;

enum class Method { get, head, post, put, patch, delete_, options, other };
std::string_view to_string(Method method);

struct Request;

/// The other end of a request, for handlers that take long.
class Client {
public:
    virtual ~Client() = default;
    /// Completes when the client has left or the server is stopping; cancel it when it is not needed any more. A client
    /// that sends its next request meanwhile is still there; so is one on a UNIX socket that has shut down its sending
    /// side only (`nc -N`). On TCP that looks like leaving, and is taken as such.
    virtual asio::awaitable<void> gone() = 0;
    [[nodiscard]] virtual bool stopping() const = 0;
    /// Makes a WebSocket of the connection, on which nothing is read or answered any more: the handler's response is
    /// not sent. Once; while it is used, gone() is not waited for. Errc::invalid "upgrade_required", and Errc::kernel
    /// when the client has left.
    virtual asio::awaitable<Result<std::unique_ptr<Channel>>> upgrade(const Request& request) = 0;
};

/// Where a body comes from that is handed over as it arrives, for routes that take Content::stream.
class Source {
public:
    virtual ~Source() = default;
    /// The next bytes, good until the next call; empty at the end of the body. Not while Client::gone() is waited for.
    /// Errc::invalid "body_too_large", "bad_framing", "bad_request" (the client left in the middle); Errc::busy
    /// "request_timeout" when nothing came for Limits::stream_stall. After an Error there is nothing more.
    virtual asio::awaitable<Result<std::string_view>> read() = 0;
};

/// One request. Views point into the connection's buffers and are good until the response is written.
struct Request {
    Method method = Method::other;
    std::string_view raw_target;
    Target target;
    std::string parameter;  ///< what the route's "{name}" or "{id}" stands for, decoded
    std::string item;       ///< the same of a second one: "/v1/jails/{name}/snapshots/{snapshot}"
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    std::string_view body;
    Source* source = nullptr;  ///< of routes that take Content::stream, instead of `body`
    Caller caller;
    Client* client = nullptr;

    /// The first field of that name, without regard to case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
};

/// Where a streamed body goes.
class Sink {
public:
    virtual ~Sink() = default;
    /// False when the client is gone or took nothing for Limits::write_timeout: the stream must end.
    virtual asio::awaitable<bool> write(std::string_view bytes) = 0;
};

/// `body`, or `document` where it is set (shared, not copied), or what `stream` writes.
struct Response {
    unsigned status = 200;
    std::string_view content_type = "application/json";
    std::vector<std::pair<std::string_view, std::string>> fields{};
    std::string body{};
    std::shared_ptr<const std::string> document{};
    std::function<asio::awaitable<void>(Sink&)> stream{};

    [[nodiscard]] std::string_view content() const { return document ? *document : body; }
};

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace jaild::api
