#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace jaild::api {

namespace asio = boost::asio;

/// A connection that has become a WebSocket (RFC 6455): whole messages in both directions. I/O thread.
class Channel {
public:
    virtual ~Channel() = default;

    enum class Kind { text, binary };
    struct Message {
        Kind kind = Kind::text;
        std::string bytes{};
    };
    /// The next one, of at most kMessageMax bytes. An Error when the client has left, or said what is no WebSocket.
    /// One at a time; the others below may be under way meanwhile.
    virtual asio::awaitable<Result<Message>> read() = 0;
    /// After those that were begun before. False when the client is gone. Not to be cancelled while anything else is to
    /// be said.
    virtual asio::awaitable<bool> write(Kind kind, std::string_view bytes) = 0;
    /// The last that is said; returns when the client has heard it, or is gone. Somebody must be reading.
    virtual asio::awaitable<void> close() = 0;
    /// Completes when the server is stopping.
    virtual asio::awaitable<void> stopping() = 0;

    static constexpr std::size_t kMessageMax = 1024 * 1024;
};

}  // namespace jaild::api
