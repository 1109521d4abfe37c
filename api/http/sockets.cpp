#include "api/http/sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "api/http/host_guard.h"
#include "core/base/ip.h"

namespace jaild::api {
namespace {

constexpr int kBacklog = 512;
constexpr mode_t kSocketMode = 0660;

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return std::unexpected(
            Error{.code = Errc::invalid,
                  .op = "listen",
                  .detail = fmt::format("the path of a UNIX socket holds at most {} bytes, {} has {}",
                                        sizeof address.sun_path - 1, path, path.size()),
                  .reason = "socket_path_too_long",
                  .remedy = "choose a shorter one with --socket"});
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* generic(const auto& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

Result<UniqueFd> make_socket(int family) {
    UniqueFd made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) return std::unexpected(Error::from_errno("socket", errno));
    return made;
}

/// Nothing there, or a socket that nobody listens on.
Result<void> check_replaceable(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return std::unexpected(Error::from_errno("lstat", errno, path));
    }
    if (!S_ISSOCK(status.st_mode))
        return std::unexpected(Error{.code = Errc::invalid,
                                     .op = "listen",
                                     .detail = fmt::format("{} exists and is no socket", path),
                                     .reason = "not_a_socket",
                                     .remedy = "move it away, or choose another path with --socket"});
    auto probe = make_socket(AF_UNIX);
    if (!probe) return std::unexpected(probe.error());
    // EAGAIN: a full backlog, so somebody listens.
    const bool answered =
        ::connect(probe->get(), generic(address), sizeof address) == 0 || errno == EAGAIN || errno == EINPROGRESS;
    if (!answered) return {};
    return std::unexpected(Error{.code = Errc::conflict,
                                 .op = "listen",
                                 .detail = fmt::format("somebody listens on {} already", path),
                                 .reason = "socket_in_use",
                                 .remedy = "stop the other daemon, or choose another path with --socket"});
}

/// A name beside `path` of the same length, so that it fits wherever `path` does.
std::string temporary_name(std::string path) {
    path.back() = path.back() == '~' ? '#' : '~';
    return path;
}

Result<void> give_rights(const std::string& file, std::optional<gid_t> group) {
    if (::chmod(file.c_str(), kSocketMode) != 0) return std::unexpected(Error::from_errno("chmod", errno, file));
    if (!group || ::geteuid() != 0) return {};
    if (::lchown(file.c_str(), 0, *group) != 0) return std::unexpected(Error::from_errno("lchown", errno, file));
    return {};
}

Result<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, port);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end)
        return std::unexpected(Error::invalid("listen_address", "/listen", fmt::format("\"{}\" is no port", text)));
    return port;
}

}  // namespace

Result<UnixSocket> UnixSocket::listen(const std::filesystem::path& path, std::optional<gid_t> group) {
    const auto& name = path.native();
    auto address = unix_address(name);
    if (!address) return std::unexpected(address.error());
    if (auto free = check_replaceable(name, *address); !free) return std::unexpected(free.error());

    const auto temporary = temporary_name(name);
    auto beside = unix_address(temporary);
    if (!beside) return std::unexpected(beside.error());
    struct stat status {};
    if (::lstat(temporary.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(temporary.c_str());

    auto socket = make_socket(AF_UNIX);
    if (!socket) return std::unexpected(socket.error());
    if (::bind(socket->get(), generic(*beside), sizeof *beside) != 0)
        return std::unexpected(Error::from_errno("bind", errno, temporary));
    // From here on the object owns the file, under whichever name it has.
    UnixSocket made(*std::move(socket), temporary);
    if (::lstat(temporary.c_str(), &status) != 0) return std::unexpected(Error::from_errno("lstat", errno, temporary));
    made.device_ = static_cast<std::uint64_t>(status.st_dev);
    made.inode_ = static_cast<std::uint64_t>(status.st_ino);
    if (auto given = give_rights(temporary, group); !given) return std::unexpected(given.error());
    if (::listen(made.socket_.get(), kBacklog) != 0) return std::unexpected(Error::from_errno("listen", errno, name));
    if (::rename(temporary.c_str(), name.c_str()) != 0)
        return std::unexpected(Error::from_errno("rename", errno, name));
    made.path_ = name;
    return made;
}

UnixSocket::~UnixSocket() {
    struct stat status {};
    if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
    if (static_cast<std::uint64_t>(status.st_dev) == device_ && static_cast<std::uint64_t>(status.st_ino) == inode_)
        ::unlink(path_.c_str());
}

Result<TcpAddress> TcpAddress::parse(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return std::unexpected(
            Error::invalid("listen_address", "/listen", fmt::format("\"{}\" is not HOST:PORT", text)));
    auto host = host_of(text);
    if (!host) return std::unexpected(Error::invalid("listen_address", "/listen", host.error().detail));
    auto port = parse_port(std::string_view(text).substr(colon + 1));
    if (!port) return std::unexpected(port.error());
    // No resolver is asked: what a name means could change between two starts.
    const std::string numeric = equal_ignoring_case(*host, "localhost") ? "127.0.0.1" : std::string(*host);
    if (!IpAddress::parse(numeric))
        return std::unexpected(
            Error::invalid("listen_address", "/listen", fmt::format("\"{}\" is no address; write one", numeric)));
    return TcpAddress{.host = numeric, .port = *port};
}

Result<void> check_servable(const TcpAddress& address) {
    if (is_loopback_name(address.host)) return {};
    return std::unexpected(Error{
        .code = Errc::unsupported,
        .op = "listen",
        .detail = fmt::format("{} is not a loopback address, and only TLS may be served beyond loopback", address.host),
        .reason = "tls_required",
        .remedy = "listen on 127.0.0.1 or [::1], and forward it by ssh(1) or a proxy with TLS"});
}

Result<UniqueFd> listen_tcp(const TcpAddress& address) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_in);
    const bool ipv6 = address.host.find(':') != std::string::npos;
    if (ipv6) {
        sockaddr_in6 six{};
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(address.port);
        inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr);
        std::memcpy(&storage, &six, sizeof six);
        length = sizeof six;
    } else {
        sockaddr_in four{};
        four.sin_family = AF_INET;
        four.sin_port = htons(address.port);
        inet_pton(AF_INET, address.host.c_str(), &four.sin_addr);
        std::memcpy(&storage, &four, sizeof four);
    }
    auto socket = make_socket(ipv6 ? AF_INET6 : AF_INET);
    if (!socket) return std::unexpected(socket.error());
    const int on = 1;
    ::setsockopt(socket->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto where = fmt::format("{}, port {}", address.host, address.port);
    if (::bind(socket->get(), generic(storage), length) != 0)
        return std::unexpected(Error::from_errno("bind", errno, where));
    if (::listen(socket->get(), kBacklog) != 0) return std::unexpected(Error::from_errno("listen", errno, where));
    return socket;
}

Result<std::uint16_t> local_port(int socket) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
        return std::unexpected(Error::from_errno("getsockname", errno));
    // sin_port and sin6_port are at the same place in both systems' structures.
    sockaddr_in four{};
    std::memcpy(&four, &storage, sizeof four);
    return ntohs(four.sin_port);
}

}  // namespace jaild::api
