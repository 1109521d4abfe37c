#include "core/kernel/shim/protocol/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/kernel/shim/protocol/wire.h"

namespace jaild::shim {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kTypeBytes = 2;
/// At most this much is read in one go, so that one busy client does not keep the others waiting.
constexpr std::size_t kReadBudget = 256 * 1024;
constexpr std::size_t kMaxBuffered = 2 * (kLengthBytes + kMaxFrame);

std::uint32_t length_at(std::string_view bytes) {
    return Reader(bytes).u32();
}

}  // namespace

Channel::Channel(UniqueFd socket) : socket_(std::move(socket)) {
    const int flags = ::fcntl(socket_.get(), F_GETFL);
    ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
}

Channel::State Channel::receive() {
    std::array<char, 16384> buffer;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 16)> control;
    for (std::size_t total = 0; total < kReadBudget;) {
        iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const auto got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? judge() : State::closed;
        for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header))
            keep_descriptors(header);
        if (got == 0) return State::closed;
        in_.append(buffer.data(), static_cast<std::size_t>(got));
        total += static_cast<std::size_t>(got);
        if (judge() == State::closed) return State::closed;
    }
    return State::open;
}

Channel::State Channel::judge() const {
    if (in_.size() > kMaxBuffered) return State::closed;
    if (in_.size() < kLengthBytes) return State::open;
    const auto length = length_at(in_);
    return length >= kTypeBytes && length <= kMaxFrame ? State::open : State::closed;
}

void Channel::keep_descriptors(const void* control_message) {
    const auto* header = static_cast<const cmsghdr*>(control_message);
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return;
    const auto* data = CMSG_DATA(header);
    const auto bytes =
        header->cmsg_len - static_cast<std::size_t>(data - static_cast<const unsigned char*>(control_message));
    for (std::size_t i = 0; i + sizeof(int) <= bytes; i += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, data + i, sizeof fd);
        UniqueFd owned(fd);
        if (received_.size() < kMaxDescriptors) received_.push_back(std::move(owned));
    }
}

std::optional<Frame> Channel::next() {
    if (in_.size() < kLengthBytes || judge() == State::closed) return std::nullopt;
    const std::size_t length = length_at(in_);
    if (in_.size() < kLengthBytes + length) return std::nullopt;
    const auto type = static_cast<unsigned>(static_cast<unsigned char>(in_[4])) |
                      static_cast<unsigned>(static_cast<unsigned char>(in_[5])) << 8U;
    Frame frame{.type = static_cast<MessageType>(type),
                .body = in_.substr(kLengthBytes + kTypeBytes, length - kTypeBytes)};
    in_.erase(0, kLengthBytes + length);
    if (in_.empty()) std::string().swap(in_);  // a large frame's memory is not kept
    return frame;
}

std::vector<UniqueFd> Channel::take_descriptors() {
    return std::exchange(received_, {});
}

bool Channel::queue(MessageType type, std::string_view body, std::vector<UniqueFd> descriptors) {
    if (body.size() > kMaxFrame - kTypeBytes) return false;
    if (!descriptors.empty()) {
        sending_ = std::move(descriptors);
        sending_at_ = out_.size();
    }
    const auto number = static_cast<unsigned>(type);
    out_ += Writer().u32(static_cast<std::uint32_t>(body.size() + kTypeBytes)).take();
    out_ += static_cast<char>(number & 0xFFU);
    out_ += static_cast<char>((number >> 8U) & 0xFFU);
    out_ += body;
    return true;
}

std::ptrdiff_t Channel::send_some() {
    const bool with_descriptors = !sending_.empty() && sending_at_ == 0;
    // Descriptors are received with the first byte that they were sent with: what is before them goes alone.
    const auto size = !sending_.empty() && !with_descriptors ? sending_at_ : out_.size();
    iovec part{.iov_base = out_.data(), .iov_len = size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
    if (with_descriptors) {
        std::array<int, kMaxDescriptors> numbers{};
        const auto count = std::min(sending_.size(), numbers.size());
        for (std::size_t i = 0; i < count; ++i) numbers[i] = sending_[i].get();
        message.msg_control = control.data();
        message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(sizeof(int) * count));
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(sizeof(int) * count));
        std::memcpy(CMSG_DATA(header), numbers.data(), sizeof(int) * count);
    }
    const auto sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent > 0 && with_descriptors) sending_.clear();
    return sent;
}

Channel::State Channel::send() {
    while (!out_.empty()) {
        const auto sent = send_some();
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? State::open : State::closed;
        out_.erase(0, static_cast<std::size_t>(sent));
        if (!sending_.empty()) sending_at_ -= static_cast<std::size_t>(sent);
    }
    std::string().swap(out_);
    return State::open;
}

}  // namespace jaild::shim
