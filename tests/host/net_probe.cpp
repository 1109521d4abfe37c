#include "tests/host/net_probe.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/host/eventually.h"
#include "tests/host/net_socket.h"

namespace jaild::test {
namespace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> socket_address(const std::string& text, std::uint16_t port) {
    const auto address = IpAddress::parse(text);
    if (!address) return std::unexpected(address.error());
    SocketAddress result;
    if (address->family == Family::ipv4) {
        auto* inet = reinterpret_cast<sockaddr_in*>(&result.storage);
        inet->sin_family = AF_INET;
        inet->sin_port = htons(port);
        std::memcpy(&inet->sin_addr, address->bytes.data(), 4);
        result.length = sizeof(sockaddr_in);
    } else {
        auto* inet = reinterpret_cast<sockaddr_in6*>(&result.storage);
        inet->sin6_family = AF_INET6;
        inet->sin6_port = htons(port);
        std::memcpy(&inet->sin6_addr, address->bytes.data(), 16);
        result.length = sizeof(sockaddr_in6);
    }
    return result;
}

IpAddress address_of(const SocketAddress& from) {
    IpAddress address;
    if (from.storage.ss_family == AF_INET) {
        std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in*>(&from.storage)->sin_addr, 4);
    } else {
        address.family = Family::ipv6;
        std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&from.storage)->sin6_addr, 16);
    }
    return address;
}

bool ready(int fd, short events, std::chrono::milliseconds usual) {
    pollfd waiting{.fd = fd, .events = events, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>(patience(usual).count())) == 1;
}

Result<void> bind_foreign(int socket, const std::string& source) {
    auto from = socket_address(source, 0);
    if (!from) return std::unexpected(from.error());
    allow_foreign_source(socket, from->storage.ss_family);
    if (::bind(socket, from->get(), from->length) != 0) return std::unexpected(Error::from_errno("bind", errno));
    return {};
}

struct Bound {
    UniqueFd socket;
    std::uint16_t port;
};

Result<Bound> bind_in(const std::string& network, const std::string& address, int type) {
    auto target = socket_address(address, 0);
    if (!target) return std::unexpected(target.error());
    auto socket = socket_in(network, target->storage.ss_family, type);
    if (!socket) return std::unexpected(socket.error());
    if (::bind(socket->get(), target->get(), target->length) != 0)
        return std::unexpected(Error::from_errno("bind", errno));
    SocketAddress bound;
    if (::getsockname(socket->get(), bound.get(), &bound.length) != 0)
        return std::unexpected(Error::from_errno("getsockname", errno));
    // sockaddr_in and sockaddr_in6 have the port in the same place.
    const auto port = ntohs(reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port);
    return Bound{.socket = *std::move(socket), .port = port};
}

Error nothing_came(std::string_view where) {
    return Error{.code = Errc::busy, .op = "recvfrom", .detail = "no datagram came " + std::string(where)};
}

}  // namespace

Result<Listener> Listener::open(const std::string& network, const std::string& address) {
    auto bound = bind_in(network, address, SOCK_STREAM);
    if (!bound) return std::unexpected(bound.error());
    if (::listen(bound->socket.get(), 8) != 0) return std::unexpected(Error::from_errno("listen", errno));
    return Listener(std::move(bound->socket), bound->port);
}

Result<IpAddress> Listener::accept(std::chrono::milliseconds patience) {
    if (!ready(socket_.get(), POLLIN, patience)) {
        return std::unexpected(Error{.code = Errc::busy, .op = "accept", .detail = "nobody came"});
    }
    SocketAddress from;
    const UniqueFd connection(::accept4(socket_.get(), from.get(), &from.length, SOCK_CLOEXEC));
    if (!connection) return std::unexpected(Error::from_errno("accept", errno));
    // Reset, so that neither end waits in TIME_WAIT: on FreeBSD that would hold a removed jail for a minute.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return address_of(from);
}

Result<UniqueFd> Listener::take(std::chrono::milliseconds patience) {
    if (!ready(socket_.get(), POLLIN, patience))
        return std::unexpected(Error{.code = Errc::busy, .op = "accept", .detail = "nobody came"});
    UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) return std::unexpected(Error::from_errno("accept", errno));
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return connection;
}

bool carries(const UniqueFd& from, const UniqueFd& to, std::chrono::milliseconds patience) {
    if (::send(from.get(), "x", 1, MSG_NOSIGNAL) != 1 || !ready(to.get(), POLLIN, patience)) return false;
    char byte = 0;
    return ::recv(to.get(), &byte, 1, 0) == 1 && byte == 'x';
}

Result<UniqueFd> connect_from(const std::string& network, const std::string& address, std::uint16_t port,
                              std::chrono::milliseconds patience, const std::optional<std::string>& source) {
    auto target = socket_address(address, port);
    if (!target) return std::unexpected(target.error());
    auto socket = socket_in(network, target->storage.ss_family, SOCK_STREAM);
    if (!socket) return socket;
    if (source) {
        if (auto bound = bind_foreign(socket->get(), *source); !bound) return std::unexpected(bound.error());
    }
    if (::connect(socket->get(), target->get(), target->length) == 0) return socket;
    if (errno != EINPROGRESS) return std::unexpected(Error::from_errno("connect", errno));
    if (!ready(socket->get(), POLLOUT, patience)) return std::unexpected(Error::from_errno("connect", ETIMEDOUT));
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return std::unexpected(Error::from_errno("connect", error));
    return socket;
}

Result<DatagramPort> DatagramPort::open(const std::string& network, const std::string& address) {
    auto bound = bind_in(network, address, SOCK_DGRAM);
    if (!bound) return std::unexpected(bound.error());
    return DatagramPort(std::move(bound->socket), bound->port);
}

Result<IpAddress> DatagramPort::answer(std::chrono::milliseconds patience) {
    if (!ready(socket_.get(), POLLIN, patience)) return std::unexpected(nothing_came("there"));
    SocketAddress from;
    char byte = 0;
    if (::recvfrom(socket_.get(), &byte, 1, 0, from.get(), &from.length) != 1)
        return std::unexpected(Error::from_errno("recvfrom", errno));
    if (::sendto(socket_.get(), &byte, 1, 0, from.get(), from.length) != 1)
        return std::unexpected(Error::from_errno("sendto", errno));
    return address_of(from);
}

Result<IpAddress> exchange(const std::string& network, const std::string& address, std::uint16_t port,
                           DatagramPort& there, std::chrono::milliseconds patience) {
    auto target = socket_address(address, port);
    if (!target) return std::unexpected(target.error());
    const auto socket = socket_in(network, target->storage.ss_family, SOCK_DGRAM);
    if (!socket) return std::unexpected(socket.error());
    // Connected: only an answer from where it was sent to counts.
    if (::connect(socket->get(), target->get(), target->length) != 0)
        return std::unexpected(Error::from_errno("connect", errno));
    if (::send(socket->get(), "x", 1, 0) != 1) return std::unexpected(Error::from_errno("send", errno));
    auto seen = there.answer(patience);
    if (!seen) return seen;
    if (!ready(socket->get(), POLLIN, patience)) return std::unexpected(nothing_came("back"));
    char byte = 0;
    if (::recv(socket->get(), &byte, 1, 0) != 1) return std::unexpected(Error::from_errno("recv", errno));
    return seen;
}

}  // namespace jaild::test
