#include <sys/param.h>
// after <sys/param.h>
#include <netinet/in.h>
#include <sys/jail.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/kernel/freebsd/system/prisons.h"
#include "tests/host/net_socket.h"

namespace jaild::test {
namespace {

/// Room for the control message of one descriptor.
union Control {
    cmsghdr header;
    std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

/// In a process of its own, whose only descriptor is `channel`: goes into the jail and sends a socket out of it, or
/// nothing. A socket stays in the network stack in which it was made.
[[noreturn]] void send_socket_from(int jid, int family, int type, int channel) {
    ::dup2(channel, 0);
    ::closefrom(1);  // jail_attach(2) takes no process with an open directory
    if (::jail_attach(jid) != 0) ::_exit(errno);
    int socket = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) ::_exit(errno);
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    Control control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof socket);
    std::memcpy(CMSG_DATA(header), &socket, sizeof socket);
    ::_exit(::sendmsg(0, &message, 0) == 1 ? 0 : errno);
}

UniqueFd receive_socket(int channel) {
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    Control control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    if (::recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1) return {};
    const auto* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
    int socket = -1;
    std::memcpy(&socket, CMSG_DATA(header), sizeof socket);
    return UniqueFd(socket);
}

}  // namespace

Result<UniqueFd> socket_in(const std::string& network, int family, int type) {
    if (network.empty()) {  // the host itself
        UniqueFd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket) return std::unexpected(Error::from_errno("socket", errno));
        return socket;
    }
    const auto jail = kernel::freebsd::prison_named(network);
    if (!jail) return std::unexpected(jail.error());
    if (!*jail) return std::unexpected(Error{.code = Errc::not_found, .op = "jail_get", .detail = network});
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return std::unexpected(Error::from_errno("socketpair", errno));
    const UniqueFd here(ends[0]);
    UniqueFd there(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) return std::unexpected(Error::from_errno("fork", errno));
    if (child == 0) send_socket_from((*jail)->jid, family, type, there.get());
    there.reset();
    auto socket = receive_socket(here.get());
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (socket) return socket;
    return std::unexpected(
        Error::from_errno("jail_attach", WIFEXITED(status) ? WEXITSTATUS(status) : EINTR, "a socket in " + network));
}

void allow_foreign_source(int socket, int family) {
    const int on = 1;
    const bool ipv4 = family == AF_INET;
    ::setsockopt(socket, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_BINDANY : IPV6_BINDANY, &on, sizeof on);
}

}  // namespace jaild::test
