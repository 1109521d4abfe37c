#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"

struct nl_msg;
struct nl_sock;

/// netlink(7) messages and sockets on libnl-3, with the kernel's own errno and words in every Error.
namespace jaild::kernel::nl {

/// A request under construction: a header of one family (ifinfomsg, ifaddrmsg, rtmsg), then attributes.
class Message {
public:
    template <class Header>
    Message(int type, int flags, const Header& header) : Message(type, flags, &header, sizeof header) {}

    void put(int attribute, std::string_view text);  ///< with its NUL
    void put(int attribute, std::uint32_t value);
    void put(int attribute, std::span<const std::uint8_t> bytes);
    /// A nested attribute holds what `fill` puts.
    void nest(int attribute, const std::function<void()>& fill);
    /// A family header in the middle of a message, as VETH_INFO_PEER has it.
    template <class Header>
    void append(const Header& header) {
        append(&header, sizeof header);
    }

    [[nodiscard]] nl_msg* get() const { return message_.get(); }
    /// False when an attribute did not fit.
    [[nodiscard]] bool complete() const { return complete_; }

private:
    struct Free {
        void operator()(nl_msg* message) const;
    };
    Message(int type, int flags, const void* header, std::size_t size);
    void append(const void* header, std::size_t size);
    void check(int result) { complete_ = complete_ && result >= 0; }

    std::unique_ptr<nl_msg, Free> message_;
    bool complete_ = true;
};

/// One NETLINK_ROUTE socket. It stays bound to the network namespace of the thread that opened it, whichever thread
/// uses it later. One thread at a time; blocking.
class Socket {
public:
    static Result<Socket> open();

    /// Sends and waits for the acknowledgement. `op` is the Error's; `object` names what the request is about.
    Result<void> request(const Message& message, std::string_view op, std::string_view object);

    /// Everything that the kernel answers and `parse` takes. A dump is asked for again when something changed
    /// meanwhile; Errc::busy when that does not end.
    template <class T>
    Result<std::vector<T>> dump(const Message& message, std::string_view op, std::string_view object,
                                std::optional<T> (*parse)(nlmsghdr*)) {
        for (int attempt = 0; attempt < kAttempts; ++attempt) {
            std::vector<T> all;
            auto whole = exchange(message, op, object, [&all, parse](nlmsghdr* header) {
                if (auto parsed = parse(header)) all.push_back(std::move(*parsed));
            });
            if (!whole) return std::unexpected(whole.error());
            if (*whole) return all;
        }
        return std::unexpected(Error{.code = Errc::busy, .op = op, .detail = std::string(object) + " keeps changing"});
    }

private:
    struct Free {
        void operator()(nl_sock* socket) const;
    };
    explicit Socket(nl_sock* socket) : socket_(socket) {}
    /// False when a dump was interrupted by a change.
    Result<bool> exchange(const Message& message, std::string_view op, std::string_view object,
                          const std::function<void(nlmsghdr*)>& answer);

    static constexpr int kAttempts = 16;
    std::unique_ptr<nl_sock, Free> socket_;
};

}  // namespace jaild::kernel::nl
