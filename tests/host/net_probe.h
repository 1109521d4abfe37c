#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "core/base/ip.h"
#include "core/base/unique_fd.h"

/// TCP and UDP between networks, without programs: who can reach whom, and as whom. A network is a namespace by its
/// name beneath /run/netns, on FreeBSD a jail by its name.
namespace jaild::test {

/// Listens on a port of the kernel's choice. The socket belongs to the network; accept() may be called anywhere.
class Listener {
public:
    static Result<Listener> open(const std::string& network, const std::string& address);
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// The address from which the next connection comes; Errc::busy when none comes in time.
    Result<IpAddress> accept(std::chrono::milliseconds patience = std::chrono::seconds(5));
    /// The same, and the connection goes on; its socket does not block.
    Result<UniqueFd> take(std::chrono::milliseconds patience = std::chrono::seconds(5));

private:
    Listener(UniqueFd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}
    UniqueFd socket_;
    std::uint16_t port_;
};

/// What one end of a connection sends is read at the other.
bool carries(const UniqueFd& from, const UniqueFd& to, std::chrono::milliseconds patience = std::chrono::seconds(5));

/// Connects from inside a network. An Error when it is refused (its errno) or not answered in time (ETIMEDOUT).
/// `source`: an address to bind to first, foreign ones too.
Result<UniqueFd> connect_from(const std::string& network, const std::string& address, std::uint16_t port,
                              std::chrono::milliseconds patience = std::chrono::seconds(5),
                              const std::optional<std::string>& source = std::nullopt);

/// Takes datagrams on a port of the kernel's choice.
class DatagramPort {
public:
    static Result<DatagramPort> open(const std::string& network, const std::string& address);
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// The address from which the next datagram comes, which is sent back there; Errc::busy when none comes in time.
    Result<IpAddress> answer(std::chrono::milliseconds patience = std::chrono::seconds(5));

private:
    DatagramPort(UniqueFd socket, std::uint16_t port) : socket_(std::move(socket)), port_(port) {}
    UniqueFd socket_;
    std::uint16_t port_;
};

/// A datagram from inside a network to `address` and `port`, by which it comes to `there`, and back again: the address
/// that it was seen from there. Errc::busy when one of the two ways is shut.
Result<IpAddress> exchange(const std::string& network, const std::string& address, std::uint16_t port,
                           DatagramPort& there, std::chrono::milliseconds patience = std::chrono::seconds(5));

}  // namespace jaild::test
