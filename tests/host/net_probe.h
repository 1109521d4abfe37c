#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/base/unique_fd.h"

/// TCP between network namespaces, without programs: who can reach whom, and as whom.
namespace jaild::test {

/// Listens on a port of the kernel's choice. The socket belongs to the namespace; accept() may be called anywhere.
class Listener {
public:
    /// `netns`: its name beneath /run/netns.
    static Result<Listener> open(const std::string& netns, const std::string& address);
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// The address from which the next connection comes; Errc::busy when none comes in time.
    Result<IpAddress> accept(std::chrono::milliseconds patience = std::chrono::seconds(5));

private:
    Listener(UniqueFd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}
    UniqueFd socket_;
    std::uint16_t port_;
};

/// Connects from inside a namespace. An Error when it is refused (its errno) or not answered in time (ETIMEDOUT).
/// `source`: an address to bind to first, foreign ones too (IP_FREEBIND, IPV6_FREEBIND).
Result<UniqueFd> connect_from(const std::string& netns, const std::string& address, std::uint16_t port,
                              std::chrono::milliseconds patience = std::chrono::seconds(5),
                              const std::optional<std::string>& source = std::nullopt);

}  // namespace jaild::test
