#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/kernel/shim/protocol/messages.h"

namespace jaild::shim {

class Server;

/// The way back to the client of one request; says nothing once that client is gone. Small, copied freely.
class Reply {
public:
    Reply(Server& server, std::uint64_t client) : server_(&server), client_(client) {}

    /// An answer after which another will follow.
    void send(MessageType type, std::string_view body = {}) const;
    /// The last answer: the connection takes its next request.
    void finish(MessageType type, std::string_view body = {}) const;
    void fail(std::string_view reason, std::string_view text) const;

    /// Until finish(): the client went away; the client sent a signal.
    void on_close(std::function<void()> handler) const;
    void on_signal(std::function<void(int)> handler) const;

private:
    Server* server_;
    std::uint64_t client_;
};

}  // namespace jaild::shim
