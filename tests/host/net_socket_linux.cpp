#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/kernel/linux/netns.h"
#include "tests/host/net_socket.h"

namespace jaild::test {

namespace netns = kernel::netns;

Result<UniqueFd> socket_in(const std::string& network, int family, int type) {
    const auto target = netns::open(network);
    if (!target) return std::unexpected(target.error());
    if (!*target) return std::unexpected(Error{.code = Errc::not_found, .op = "netns", .detail = network});
    UniqueFd socket;
    auto made = netns::run_in((*target)->get(), [&]() -> Result<void> {
        socket.reset(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket) return std::unexpected(Error::from_errno("socket", errno));
        return {};
    });
    if (!made) return std::unexpected(made.error());
    return socket;
}

void allow_foreign_source(int socket, int family) {
    const int on = 1;
    const bool ipv4 = family == AF_INET;
    ::setsockopt(socket, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof on);
}

}  // namespace jaild::test
