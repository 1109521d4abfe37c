#include "core/kernel/linux/nl.h"

#include <fmt/format.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cerrno>

namespace jaild::kernel::nl {
namespace {

/// What the callbacks of one exchange share.
struct Exchange {
    const std::function<void(nlmsghdr*)>& answer;
    bool done = false;
    bool interrupted = false;  ///< NLM_F_DUMP_INTR: the dump is not one moment's state
    int error = 0;             ///< errno
    std::string words;         ///< NLMSGERR_ATTR_MSG
};

Exchange& exchange_of(void* argument) {
    return *static_cast<Exchange*>(argument);
}

int on_valid(nl_msg* message, void* argument) {
    const auto& exchange = exchange_of(argument);
    if (exchange.answer) exchange.answer(nlmsg_hdr(message));
    return NL_OK;
}

int on_end(nl_msg* /*message*/, void* argument) {
    exchange_of(argument).done = true;
    return NL_STOP;
}

int on_interrupted(nl_msg* /*message*/, void* argument) {
    exchange_of(argument).interrupted = true;
    return NL_OK;
}

/// The kernel's own sentence, where it has one: an attribute after the (capped) copy of the request.
std::string words_of(nlmsgerr* failure) {
    const auto* header = reinterpret_cast<nlmsghdr*>(reinterpret_cast<char*>(failure) - NLMSG_HDRLEN);
    if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
    std::size_t offset = sizeof(nlmsgerr);
    if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) offset += failure->msg.nlmsg_len - NLMSG_HDRLEN;
    offset = NLMSG_ALIGN(offset);
    if (header->nlmsg_len < NLMSG_HDRLEN + offset) return {};
    auto* first = reinterpret_cast<nlattr*>(reinterpret_cast<char*>(failure) + offset);
    const auto length = static_cast<int>(header->nlmsg_len - NLMSG_HDRLEN - offset);
    const nlattr* text = nla_find(first, length, NLMSGERR_ATTR_MSG);
    if (text == nullptr) return {};
    const std::string_view words(static_cast<const char*>(nla_data(text)), static_cast<std::size_t>(nla_len(text)));
    return std::string(words.substr(0, words.find('\0')));
}

int on_error(sockaddr_nl* /*from*/, nlmsgerr* failure, void* argument) {
    auto& exchange = exchange_of(argument);
    exchange.error = -failure->error;
    exchange.words = words_of(failure);
    exchange.done = true;
    return NL_STOP;
}

struct FreeCallbacks {
    void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

Error out_of_memory(std::string_view op) {
    return Error::from_errno(op, ENOMEM);
}

}  // namespace

void Message::Free::operator()(nl_msg* message) const {
    nlmsg_free(message);
}
void Socket::Free::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}

Message::Message(int type, int flags, const void* header, std::size_t size)
    : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
    if (!message_) {
        complete_ = false;
        return;
    }
    append(header, size);
}

void Message::append(const void* header, std::size_t size) {
    if (!message_) return;
    check(nlmsg_append(message_.get(), const_cast<void*>(header), size, NLMSG_ALIGNTO));
}

void Message::put(int attribute, std::string_view text) {
    if (message_) check(nla_put_string(message_.get(), attribute, std::string(text).c_str()));
}

void Message::put(int attribute, std::uint32_t value) {
    if (message_) check(nla_put_u32(message_.get(), attribute, value));
}

void Message::put(int attribute, std::span<const std::uint8_t> bytes) {
    if (message_) check(nla_put(message_.get(), attribute, static_cast<int>(bytes.size()), bytes.data()));
}

void Message::nest(int attribute, const std::function<void()>& fill) {
    if (!message_) return;
    nlattr* start = nla_nest_start(message_.get(), attribute);
    check(start == nullptr ? -1 : 0);
    fill();
    if (start != nullptr) nla_nest_end(message_.get(), start);
}

Result<Socket> Socket::open() {
    Socket socket(nl_socket_alloc());
    if (!socket.socket_) return std::unexpected(out_of_memory("nl_socket_alloc"));
    nl_sock* raw = socket.socket_.get();
    if (const int failed = nl_connect(raw, NETLINK_ROUTE); failed < 0) {
        return std::unexpected(Error::from_errno("nl_connect", errno, nl_geterror(failed)));
    }
    nl_socket_enable_msg_peek(raw);
    // Words beside the errno: wanted, not needed.
    const int on = 1;
    (void)setsockopt(nl_socket_get_fd(raw), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(nl_socket_get_fd(raw), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    return socket;
}

Result<bool> Socket::exchange(const Message& message, std::string_view op, std::string_view object,
                              const std::function<void(nlmsghdr*)>& answer) {
    if (!message.complete()) return std::unexpected(out_of_memory(op));
    nl_sock* raw = socket_.get();
    Exchange exchange{.answer = answer, .words = {}};
    const std::unique_ptr<nl_cb, FreeCallbacks> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
    if (!callbacks) return std::unexpected(out_of_memory(op));
    nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, &exchange);
    nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &exchange);

    nlmsg_hdr(message.get())->nlmsg_seq = NL_AUTO_SEQ;  // a repeated message gets a new one
    if (const int sent = nl_send_auto(raw, message.get()); sent < 0) {
        return std::unexpected(Error::from_errno(op, errno, fmt::format("{}: {}", object, nl_geterror(sent))));
    }
    while (!exchange.done) {
        const int received = nl_recvmsgs(raw, callbacks.get());
        if (received < 0 && !exchange.done) {
            return std::unexpected(Error::from_errno(op, errno, fmt::format("{}: {}", object, nl_geterror(received))));
        }
    }
    if (exchange.error != 0) {
        auto detail = exchange.words.empty() ? std::string(object) : fmt::format("{}: {}", object, exchange.words);
        return std::unexpected(Error::from_errno(op, exchange.error, std::move(detail)));
    }
    return !exchange.interrupted;
}

Result<void> Socket::request(const Message& message, std::string_view op, std::string_view object) {
    auto done = exchange(message, op, object, {});
    if (!done) return std::unexpected(done.error());
    return {};
}

}  // namespace jaild::kernel::nl
