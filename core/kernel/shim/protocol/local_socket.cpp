#include "core/kernel/shim/protocol/local_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace jaild::shim {
namespace {

struct Address {
    sockaddr_un value{};
    socklen_t length = 0;
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
};

Result<Address> address_of(const std::string& path) {
    Address address;
    address.value.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.value.sun_path)
        return std::unexpected(Error::invalid("invalid_path", "", path + " is too long for a socket"));
    std::memcpy(address.value.sun_path, path.c_str(), path.size() + 1);
    address.length = static_cast<socklen_t>(sizeof address.value);
    return address;
}

#ifdef __linux__
int bind_in(int socket, int directory, const std::string& name) {
    const auto address = address_of("/proc/self/fd/" + std::to_string(directory) + "/" + name);
    return address ? ::bind(socket, address->get(), address->length) : -1;
}

int connect_to(int socket, int directory, const std::string& name) {
    const auto address = address_of("/proc/self/fd/" + std::to_string(directory) + "/" + name);
    return address ? ::connect(socket, address->get(), address->length) : -1;
}

std::optional<uid_t> peer_user(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer.uid;
}
#else
int bind_in(int socket, int directory, const std::string& name) {
    const auto address = address_of(name);
    return address ? ::bindat(directory, socket, address->get(), address->length) : -1;
}

int connect_to(int socket, int directory, const std::string& name) {
    const auto address = address_of(name);
    return address ? ::connectat(directory, socket, address->get(), address->length) : -1;
}

std::optional<uid_t> peer_user(int socket) {
    uid_t user = 0;
    gid_t group = 0;
    if (::getpeereid(socket, &user, &group) != 0) return std::nullopt;
    return user;
}
#endif

}  // namespace

Result<UniqueFd> listen_in(int directory, const std::string& name) {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return std::unexpected(Error::from_errno("socket", errno));
    if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT)
        return std::unexpected(Error::from_errno("unlinkat", errno, name));
    if (bind_in(socket.get(), directory, name) != 0) return std::unexpected(Error::from_errno("bind", errno, name));
    // Nobody else can come here before: the directory is 0700.
    if (::fchmodat(directory, name.c_str(), 0600, 0) != 0)
        return std::unexpected(Error::from_errno("fchmodat", errno, name));
    if (::listen(socket.get(), 128) != 0) return std::unexpected(Error::from_errno("listen", errno, name));
    return socket;
}

Result<UniqueFd> connect_in(int directory, const std::string& name) {
    // Not blocking: where nobody accepts, connect(2) would wait for ever once the queue is full (unix(7)).
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return std::unexpected(Error::from_errno("socket", errno));
    int done = -1;
    do {
        done = connect_to(socket.get(), directory, name);
    } while (done != 0 && errno == EINTR);
    if (done != 0) {
        auto error = Error::from_errno("connect", errno, name);
        if (error.sys == ECONNREFUSED || error.sys == EAGAIN) error.code = Errc::busy;
        return std::unexpected(std::move(error));
    }
    return socket;
}

UniqueFd accept_own(int listener) {
    for (;;) {
        UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (!socket) return socket;
        if (peer_user(socket.get()) == ::geteuid()) return socket;
    }
}

}  // namespace jaild::shim
