#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <thread>

#include "core/base/unique_fd.h"

namespace jaild::test {

/// A DHCP server (RFC 2131), for FreeBSD's base has none: as much of one as a client needs that obeys. It answers in a
/// thread of its own, until it goes.
class DhcpServer {
public:
    /// In a network (net_probe.h) in which 192.0.2.254/24 is the only address. Leases 192.0.2.<first> to .<last>.
    DhcpServer(const std::string& network, int first, int last);
    ~DhcpServer();
    DhcpServer(const DhcpServer&) = delete;
    DhcpServer& operator=(const DhcpServer&) = delete;

private:
    using Packet = std::array<std::uint8_t, 576>;
    void run();
    void answer(const Packet& asked, std::size_t size);
    /// The host part for that MAC address; 0: all are taken.
    int address_for(const std::string& mac);

    UniqueFd socket_;
    Pipe leave_;
    int first_;
    int last_;
    std::map<std::string, int> leases_;
    std::thread thread_;
};

}  // namespace jaild::test
