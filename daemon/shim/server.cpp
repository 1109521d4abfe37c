#include "daemon/shim/server.h"

#include <poll.h>
#include <unistd.h>

#include "core/kernel/shim/protocol/local_socket.h"
#include "core/kernel/shim/protocol/process_identity.h"

namespace jaild::shim {
namespace {

constexpr std::chrono::seconds kGreeting{10};

std::string failed(std::string_view reason, std::string_view text) {
    return Failed{.reason = std::string(reason), .text = std::string(text)}.encode();
}

}  // namespace

void Reply::send(MessageType type, std::string_view body) const {
    server_->send(client_, type, body);
}

void Reply::finish(MessageType type, std::string_view body) const {
    server_->send(client_, type, body);
    server_->finish(client_);
}

void Reply::fail(std::string_view reason, std::string_view text) const {
    finish(MessageType::failed, failed(reason, text));
}

void Reply::on_close(std::function<void()> handler) const {
    if (auto* client = server_->find(client_)) client->on_close = std::move(handler);
}

void Reply::on_signal(std::function<void(int)> handler) const {
    if (auto* client = server_->find(client_)) client->on_signal = std::move(handler);
}

Server::Server(Loop& loop, UniqueFd listener, Requests requests)
    : loop_(loop), listener_(std::move(listener)), requests_(std::move(requests)) {
    loop_.watch(listener_.get(), POLLIN, [this](short) { accept_all(); });
}

Server::~Server() {
    loop_.forget(listener_.get());
    for (auto& [id, client] : clients_) loop_.forget(client.channel.descriptor());
}

Server::Client* Server::find(ClientId id) {
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : &found->second;
}

void Server::accept_all() {
    for (int i = 0; i < 64; ++i) {
        auto socket = accept_own(listener_.get());
        if (!socket) return;
        admit(std::move(socket));
    }
}

void Server::admit(UniqueFd socket) {
    const auto id = ++last_;
    auto& client = clients_.try_emplace(id, std::move(socket)).first->second;
    if (clients_.size() > kMaxClients) {
        send(id, MessageType::failed, failed("too_many", "too many connections"));
        return drop(id);
    }
    client.greeting = loop_.after(kGreeting, [this, id] { drop(id); });
    loop_.watch(client.channel.descriptor(), POLLIN, [this, id](short events) { ready(id, events); });
}

void Server::ready(ClientId id, short events) {
    auto* client = find(id);
    if (client == nullptr) return;
    if ((events & POLLOUT) != 0) {
        if (client->channel.send() == Channel::State::closed) return drop(id);
        if (client->channel.unsent() == 0) loop_.change(client->channel.descriptor(), POLLIN);
    }
    if ((events & ~POLLOUT) == 0) return;
    const auto state = client->channel.receive();
    serve(id);
    if (state == Channel::State::closed) drop(id);
}

void Server::serve(ClientId id) {
    for (;;) {
        auto* client = find(id);
        if (client == nullptr) return;
        // A busy client's requests wait in its channel, except for signals, which come one at a time.
        if (client->busy && !client->on_signal) return;
        auto frame = client->channel.next();
        if (!frame) return;
        take(id, *std::move(frame));
    }
}

void Server::take(ClientId id, Frame frame) {
    auto& client = *find(id);
    if (!client.greeted) return greet(id, frame);
    if (frame.type == MessageType::signal) {
        const auto signal = Signal::decode(frame.body);
        if (signal && client.on_signal) client.on_signal(static_cast<int>(signal->number));
        return;
    }
    if (client.busy) return drop(id);  // a second request while the first runs: this is no client of ours
    if (frame.type == MessageType::subscribe) {
        client.subscribed = true;
        return send(id, MessageType::done, {});
    }
    client.busy = true;
    requests_(std::move(frame), client.channel.take_descriptors(), Reply(*this, id));
}

void Server::greet(ClientId id, const Frame& frame) {
    auto& client = *find(id);
    const auto hello = frame.type == MessageType::hello ? Hello::decode(frame.body) : std::nullopt;
    if (!hello) {
        send(id, MessageType::failed, failed("malformed", "the first message is not a hello"));
        return drop(id);
    }
    client.greeted = true;
    loop_.cancel(client.greeting);
    send(id, MessageType::hello_answer,
         Hello{.version = kProtocolVersion, .program = "jaild-shim " JAILD_VERSION, .pid = ::getpid()}.encode());
}

void Server::send(ClientId id, MessageType type, std::string_view body) {
    auto* client = find(id);
    if (client == nullptr) return;
    const bool queued = client->channel.queue(type, body);
    if (!queued || client->channel.unsent() > kMaxUnsent) return drop(id);
    // A client that is gone is dropped when the loop sees it, not under the feet of our caller.
    if (client->channel.send() == Channel::State::open && client->channel.unsent() > 0)
        loop_.change(client->channel.descriptor(), POLLIN | POLLOUT);
}

void Server::finish(ClientId id) {
    auto* client = find(id);
    if (client == nullptr) return;
    client->busy = false;
    client->on_close = nullptr;
    client->on_signal = nullptr;
    // What came meanwhile is served in a turn of its own.
    loop_.after(std::chrono::milliseconds{0}, [this, id] { serve(id); });
}

void Server::drop(ClientId id) {
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    const auto on_close = std::move(found->second.on_close);
    loop_.cancel(found->second.greeting);
    loop_.forget(found->second.channel.descriptor());
    clients_.erase(found);
    if (on_close) on_close();
}

void Server::publish() {
    std::vector<ClientId> subscribers;
    for (const auto& [id, client] : clients_)
        // One that has not read its last event yet will ask for the newest state after it anyway.
        if (client.subscribed && client.channel.unsent() == 0) subscribers.push_back(id);
    for (const auto id : subscribers) send(id, MessageType::event, {});
}

}  // namespace jaild::shim
