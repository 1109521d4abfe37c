#include "core/kernel/shim/connection.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/kernel/shim/protocol/local_socket.h"
#include "core/kernel/shim/protocol/paths.h"

namespace jaild::kernel {
namespace {

using Clock = std::chrono::steady_clock;
using shim::Channel;
using shim::MessageType;

Error lost() {
    return Error{
        .code = Errc::kernel, .op = "shim", .detail = "the process that holds this jail went away", .reason = "lost"};
}

Error not_answering() {
    return Error{.code = Errc::busy,
                 .op = "shim",
                 .detail = "the process that holds this jail does not answer",
                 .reason = "shim_not_answering",
                 .remedy = "look at the jail's jaild-shim: it may be stopped, or wait for a disk"};
}

/// Errc::busy at the deadline.
Result<void> wait_until(int fd, short events, Clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return std::unexpected(not_answering());
        pollfd one{.fd = fd, .events = events, .revents = 0};
        const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, 3'600'000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return std::unexpected(Error::from_errno("poll", errno));
    }
}

/// What a shim did not do, as one of our errors.
Error refused(const shim::Failed& failed) {
    Error error{.code = Errc::kernel, .op = "shim", .detail = failed.text, .reason = "shim_failed"};
    const auto set = [&error](Errc code, std::string_view reason) {
        error.code = code;
        error.reason = reason;
    };
    if (failed.reason == "command_running") set(Errc::conflict, "command_running");
    if (failed.reason == "shutting_down") set(Errc::conflict, "shutting_down");
    if (failed.reason == "too_many") set(Errc::exhausted, "too_many_programs");
    if (failed.reason == "not_recorded") set(Errc::exhausted, "not_recorded");
    if (failed.reason == "unknown_request") {
        set(Errc::unsupported, "old_shim");
        error.remedy = "restart the jail: its jaild-shim is of an older version";
    }
    return error;
}

}  // namespace

Result<Connection> Connection::open(int directory) {
    auto socket = shim::connect_in(directory, shim::kSocketName);
    if (!socket) {
        auto error = std::move(socket.error());
        // Without descriptors nobody has asked the shim yet.
        if (error.code == Errc::exhausted) return std::unexpected(std::move(error));
        if (error.sys == EAGAIN) return std::unexpected(not_answering());
        error.code = Errc::kernel;
        error.reason = "shim_gone";
        return std::unexpected(std::move(error));
    }
    Connection connection(*std::move(socket));
    const auto hello =
        shim::Hello{.version = shim::kProtocolVersion, .program = "jaild " JAILD_VERSION, .pid = ::getpid()};
    const auto answer = connection.ask(MessageType::hello, hello.encode(), kShimPatience);
    if (!answer) return std::unexpected(answer.error());
    if (answer->type != MessageType::hello_answer || !shim::Hello::decode(answer->body))
        return std::unexpected(
            Error{.code = Errc::corrupt, .op = "hello", .detail = "what listens there is no jaild-shim"});
    return connection;
}

Result<void> Connection::send(MessageType type, std::string_view body, std::vector<UniqueFd> descriptors) {
    if (!channel_.queue(type, body, std::move(descriptors)))
        return std::unexpected(Error{.code = Errc::exhausted,
                                     .op = "shim",
                                     .detail = "arguments and environment together are larger than " +
                                               std::to_string(shim::kMaxFrame) + " bytes",
                                     .reason = "program_too_large"});
    const auto deadline = Clock::now() + kShimPatience;
    for (;;) {
        if (channel_.send() == Channel::State::closed) return std::unexpected(lost());
        if (channel_.unsent() == 0) return {};
        if (const auto ready = wait_until(descriptor(), POLLOUT, deadline); !ready) return ready;
    }
}

Result<shim::Frame> Connection::receive(Milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    auto state = Channel::State::open;
    for (;;) {
        if (auto frame = channel_.next()) {
            if (frame->type != MessageType::failed) return *std::move(frame);
            const auto failed = shim::Failed::decode(frame->body);
            return std::unexpected(failed ? refused(*failed) : lost());
        }
        if (state == Channel::State::closed) return std::unexpected(lost());
        if (const auto ready = wait_until(descriptor(), POLLIN, deadline); !ready)
            return std::unexpected(ready.error());
        state = channel_.receive();
    }
}

Result<shim::Frame> Connection::ask(MessageType type, std::string_view body, Milliseconds patience) {
    if (const auto sent = send(type, body); !sent) return std::unexpected(sent.error());
    return receive(patience);
}

}  // namespace jaild::kernel
