#pragma once

#include <string>

#include "core/base/error.h"

namespace jaild::client {

/// Where a daemon listens: "unix:///run/jaild.sock" or "http://127.0.0.1:8080".
struct Endpoint {
    std::string path;  ///< of a UNIX socket; empty: TCP
    std::string host;
    std::string port;

    /// Errc::invalid "host_invalid"; Errc::unsupported "tls_unsupported" for https://.
    static Result<Endpoint> parse(const std::string& text);
    /// This system's default socket.
    static Endpoint usual();
    [[nodiscard]] std::string to_string() const;
};

}  // namespace jaild::client
