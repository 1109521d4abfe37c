#include "core/kernel/reach.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace jaild::kernel {
namespace {

struct Destination {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

/// The length that FreeBSD's have in their first byte is set by the kernel: getsockaddr() of uipc_syscalls.c.
Destination destination(const IpAddress& address, std::uint16_t port) {
    Destination to;
    if (address.family == Family::ipv4) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
        std::memcpy(&to.storage, &v4, sizeof v4);
        to.length = sizeof v4;
        return to;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
    std::memcpy(&to.storage, &v6, sizeof v6);
    to.length = sizeof v6;
    return to;
}

}  // namespace

Result<UniqueFd> begin_connection(const IpAddress& address, std::uint16_t port) {
    const int family = address.family == Family::ipv4 ? AF_INET : AF_INET6;
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return std::unexpected(Error::from_errno("socket", errno));
    const auto to = destination(address, port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length) == 0 || errno == EINPROGRESS)
        return fd;
    return std::unexpected(Error::from_errno("connect", errno, fmt::format("{} port {}", address.to_string(), port)));
}

}  // namespace jaild::kernel
