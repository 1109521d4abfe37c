#include "core/kernel/linux/console_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/files.h"
#include "core/base/units.h"
#include "core/kernel/shim/protocol/local_socket.h"

namespace jaild::kernel {
namespace {

constexpr const char* kName = "console";
/// The runtime has sent it before it ends, and it has ended: it is there, or does not come.
constexpr Milliseconds kPatience{5'000};

bool readable(const UniqueFd& fd) {
    pollfd one{.fd = fd.get(), .events = POLLIN, .revents = 0};
    int ready = -1;
    do {
        ready = ::poll(&one, 1, static_cast<int>(kPatience.count()));
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/// All that came with one message: the terminal's name is its text, which the jail may have chosen.
std::vector<UniqueFd> receive_descriptors(const UniqueFd& socket) {
    std::array<char, 4096> text;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 4)> control;
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    std::vector<UniqueFd> received;
    ssize_t got = -1;
    do {
        got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return received;
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const auto* data = CMSG_DATA(header);
        for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, data + (at - CMSG_LEN(0)), sizeof fd);
            received.emplace_back(fd);
        }
    }
    return received;
}

/// Only the master of a pseudo terminal knows the number of its other end: ioctl_tty(2), TIOCGPTN.
bool is_master(const UniqueFd& fd) {
    struct stat status {};
    unsigned number = 0;
    return ::fstat(fd.get(), &status) == 0 && S_ISCHR(status.st_mode) && ::ioctl(fd.get(), TIOCGPTN, &number) == 0;
}

}  // namespace

Error no_terminal(std::string_view why) {
    return Error{.code = Errc::conflict,
                 .op = "runc exec",
                 .detail = "the program got no terminal: " + std::string(why),
                 .reason = "no_terminal",
                 .remedy = "restart the jail: its /dev/ptmx may have been replaced"};
}

Result<std::unique_ptr<Terminal>> ConsoleSocket::create(int directory) {
    auto listener = shim::listen_in(directory, kName);
    auto file = listener ? files::open_beneath(directory, kName, O_PATH) : Result<UniqueFd>{};
    if (::unlinkat(directory, kName, 0) != 0 && errno != ENOENT)
        return std::unexpected(Error::from_errno("unlinkat", errno, kName));
    if (!listener) return std::unexpected(listener.error());
    if (!file) return std::unexpected(file.error());
    return std::unique_ptr<Terminal>(new ConsoleSocket(*std::move(listener), *std::move(file)));
}

Result<Terminal::Request> ConsoleSocket::request() {
    Request request{.type = shim::MessageType::exec};
    request.descriptors.push_back(std::move(file_));
    for (int i = 0; i < 2; ++i) {
        request.descriptors.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (!request.descriptors.back()) return std::unexpected(Error::from_errno("open", errno, "/dev/null"));
    }
    return request;
}

Result<UniqueFd> ConsoleSocket::master() {
    if (!readable(listener_)) return std::unexpected(no_terminal("the runtime did not send it"));
    const auto socket = shim::accept_own(listener_.get());
    if (!socket) return std::unexpected(no_terminal("who came to send it is not the runtime"));
    listener_.reset();
    if (!readable(socket)) return std::unexpected(no_terminal("the runtime did not send it"));
    auto received = receive_descriptors(socket);
    if (received.size() != 1 || !is_master(received.front()))
        return std::unexpected(no_terminal("what the jail's /dev/ptmx gave is no pseudo terminal"));
    return std::move(received.front());
}

}  // namespace jaild::kernel
