#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "core/base/unique_fd.h"
#include "core/kernel/shim/protocol/channel.h"
#include "daemon/shim/loop.h"
#include "daemon/shim/reply.h"

namespace jaild::shim {

/// The socket and its connections. No client can make it wait: what does not greet, does not read or sends no frames is
/// dropped.
class Server {
public:
    using Requests = std::function<void(Frame, std::vector<UniqueFd>, const Reply&)>;
    static constexpr std::size_t kMaxClients = 512;
    static constexpr std::size_t kMaxUnsent = 2 * kMaxFrame;

    Server(Loop& loop, UniqueFd listener, Requests requests);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    /// An event to every subscriber.
    void publish();

private:
    friend class Reply;
    using ClientId = std::uint64_t;
    struct Client {
        explicit Client(UniqueFd socket) : channel(std::move(socket)) {}
        Channel channel;
        bool greeted = false;
        bool busy = false;  ///< a request is being worked on
        bool subscribed = false;
        Loop::TimerId greeting = 0;
        std::function<void()> on_close;
        std::function<void(int)> on_signal;
    };
    void accept_all();
    void admit(UniqueFd socket);
    void ready(ClientId id, short events);
    void serve(ClientId id);
    void take(ClientId id, Frame frame);
    void greet(ClientId id, const Frame& frame);
    void send(ClientId id, MessageType type, std::string_view body);
    void finish(ClientId id);
    void drop(ClientId id);
    Client* find(ClientId id);

    Loop& loop_;
    UniqueFd listener_;
    Requests requests_;
    std::map<ClientId, Client> clients_;
    ClientId last_ = 0;
};

}  // namespace jaild::shim
