#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "api/http/channel.h"
#include "api/http/message.h"
#include "core/base/units.h"

namespace jaild::api {

/// It asks for one, in the only version that there is. Errc::invalid "upgrade_required".
Result<void> check_upgrade(const Request& request);

struct WebSocketSettings {
    /// A client that says nothing for so long, not even that it is there, is gone; 0: its socket tells.
    Milliseconds idle_timeout{0};
    asio::steady_timer& ending;  ///< cancelled when the server stops
};

/// Answers the handshake (check_upgrade() was asked) and takes the socket, which outlives it. Errc::kernel when the
/// client is gone.
asio::awaitable<Result<std::unique_ptr<Channel>>> accept_web_socket(asio::generic::stream_protocol::socket& socket,
                                                                    const Request& request, WebSocketSettings settings);

}  // namespace jaild::api
