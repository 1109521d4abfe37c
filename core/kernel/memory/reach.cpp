#include "core/kernel/memory/reach.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace jaild::kernel::memory {

Result<UniqueFd> MemoryReach::connect(JailId id, const IpAddress& address, std::uint16_t) {
    const std::lock_guard lock(world_.mutex);
    const auto* prison = world_.prison(id);
    const auto* held = world_.directory(id);
    if (!prison || prison->life != JailLife::alive || !held || held->shim.command != CommandState::running)
        return std::unexpected(Error::from_errno("connect", ECONNREFUSED, address.to_string()));
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return std::unexpected(Error::from_errno("socketpair", errno));
    UniqueFd ours(ends[0]);
    UniqueFd peer(ends[1]);
    constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (::write(peer.get(), answer.data(), answer.size()) != static_cast<ssize_t>(answer.size()))
        return std::unexpected(Error::from_errno("write", errno));
    peers_[id] = std::move(peer);
    return ours;
}

}  // namespace jaild::kernel::memory
