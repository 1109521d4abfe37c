#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/unique_fd.h"

/// Listening sockets. Blocking, before the server runs.
namespace jaild::api {

/// A UNIX socket with mode 0660; its file is removed with it, unless another daemon has taken its place by then.
class UnixSocket {
public:
    /// Made beside `path` with its mode and group, then renamed over it: nobody ever finds one with other rights, and a
    /// stale one is replaced without a gap. Errc::invalid "socket_path_too_long" (sun_path), "not_a_socket";
    /// Errc::conflict "socket_in_use" when somebody listens there.
    static Result<UnixSocket> listen(const std::filesystem::path& path, std::optional<gid_t> group);
    UnixSocket(UnixSocket&& other) noexcept
        : socket_(std::move(other.socket_)),
          path_(std::exchange(other.path_, {})),
          device_(other.device_),
          inode_(other.inode_) {}
    UnixSocket& operator=(UnixSocket&&) = delete;
    ~UnixSocket();

    /// For an acceptor that takes over accepting; the file stays this object's.
    [[nodiscard]] UniqueFd take() { return std::move(socket_); }

private:
    UnixSocket(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
    UniqueFd socket_;
    std::string path_;
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

/// "127.0.0.1:8080", "[::1]:8080", "localhost:0".
struct TcpAddress {
    std::string host;  ///< an address
    std::uint16_t port = 0;
    /// Errc::invalid "listen_address".
    static Result<TcpAddress> parse(const std::string& text);
};

/// Errc::unsupported "tls_required" for an address beyond loopback: this build cannot serve TLS there. Pure.
Result<void> check_servable(const TcpAddress& address);
/// For one that check_servable() lets pass.
Result<UniqueFd> listen_tcp(const TcpAddress& address);
Result<std::uint16_t> local_port(int socket);

}  // namespace jaild::api
