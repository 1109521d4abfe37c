#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "api/http/limits.h"
#include "api/http/tokens.h"
#include "core/base/error.h"
#include "core/supervisor.h"

namespace jaild::api {

struct ServerOptions {
    std::filesystem::path socket;              ///< of the UNIX socket; empty: none
    std::string socket_group = "jaild";        ///< whose members are operators; it need not exist
    std::string listen{};                      ///< "127.0.0.1:8080", "[::1]:0"; empty: no TCP
    std::vector<Token> tokens{};               ///< for TCP
    std::vector<std::string> allowed_hosts{};  ///< names beside the loopback ones that a Host field may have on TCP
    Limits limits{};
    std::size_t pool_threads = 16;       ///< for what blocks on the store and on files
    std::size_t jail_pool_threads = 32;  ///< for what asks kernel or shim; eight jails that hang do not take all
};

/// The HTTP API. One thread serves all clients; what blocks runs on pools of its own.
class Server {
public:
    /// Sets Supervisor::on_events. `supervisor` outlives the server. SIGPIPE must be ignored by the process.
    Server(Supervisor& supervisor, ServerOptions options);
    /// Waits for what still runs on the pools.
    ~Server();

    /// What can be known without binding. Errc::invalid "listen_address", "invalid_token", "token_required" (TCP
    /// without one); Errc::unsupported "tls_required" beyond loopback.
    static Result<void> check(const ServerOptions& options);
    /// check(), and binds the sockets. Errc::invalid "socket_path_too_long", "not_a_socket"; Errc::conflict
    /// "socket_in_use".
    Result<void> listen();
    /// Serves on this thread until stop().
    void run();
    /// Any thread: from now on these, for every request that begins; check()'s errors leave the old ones.
    Result<void> set_tokens(const std::vector<Token>& tokens);
    /// After run(): no file of the UNIX socket is left, and what still runs on the pools may end within `patience`.
    /// False: some of it hangs in a kernel or with a shim, and still uses what this object holds. Then the process must
    /// end without destroying it.
    bool finish(Milliseconds patience);
    /// Any thread: no new requests; those under way may end within Limits::shutdown_grace.
    void stop();

    /// Of TCP, 0 without it. After listen().
    [[nodiscard]] std::uint16_t port() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jaild::api
