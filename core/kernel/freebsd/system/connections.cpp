#include "core/kernel/freebsd/system/connections.h"

#include <sys/types.h>
// after <sys/types.h>
#include <sys/socket.h>
#include <sys/socketvar.h>
#include <sys/sysctl.h>
// after <sys/socketvar.h>
#include <netinet/in.h>
#include <netinet/in_pcb.h>
#include <netinet/tcp.h>
#include <netinet/tcp_var.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace jaild::kernel::freebsd {
namespace {

constexpr const char* kList = "net.inet.tcp.pcblist";
constexpr const char* kDrop = "net.inet.tcp.drop";

/// Connections may come while they are counted.
Result<std::vector<char>> list() {
    for (int tries = 0; tries < 8; ++tries) {
        std::size_t size = 0;
        if (::sysctlbyname(kList, nullptr, &size, nullptr, 0) != 0)
            return std::unexpected(Error::from_errno("sysctl", errno, kList));
        std::vector<char> listed(size + size / 8);
        size = listed.size();
        if (::sysctlbyname(kList, listed.data(), &size, nullptr, 0) == 0) {
            listed.resize(size);
            return listed;
        }
        if (errno != ENOMEM) break;
    }
    return std::unexpected(Error::from_errno("sysctl", errno, kList));
}

/// Its own end, and the other one; no other one: it listens.
struct Ends {
    IpAddress address;
    std::array<sockaddr_storage, 2> sockets{};  ///< the other's, then its own, as the kernel wants them
    bool connected = false;
};

Ends ends_of(const xinpcb& pcb) {
    Ends ends;
    const auto fill = [](sockaddr_storage& storage, const auto& socket) {
        static_assert(sizeof socket <= sizeof storage);
        std::memcpy(&storage, &socket, sizeof socket);
    };
    ends.connected = pcb.inp_fport != 0;
    if ((pcb.inp_vflag & INP_IPV6) != 0) {
        ends.address.family = Family::ipv6;
        std::memcpy(ends.address.bytes.data(), &pcb.in6p_laddr, sizeof pcb.in6p_laddr);
        sockaddr_in6 socket{};
        socket.sin6_len = sizeof socket;
        socket.sin6_family = AF_INET6;
        socket.sin6_addr = pcb.in6p_faddr;
        socket.sin6_port = pcb.inp_fport;
        fill(ends.sockets[0], socket);
        socket.sin6_addr = pcb.in6p_laddr;
        socket.sin6_port = pcb.inp_lport;
        fill(ends.sockets[1], socket);
        return ends;
    }
    std::memcpy(ends.address.bytes.data(), &pcb.inp_laddr, sizeof pcb.inp_laddr);
    sockaddr_in socket{};
    socket.sin_len = sizeof socket;
    socket.sin_family = AF_INET;
    socket.sin_addr = pcb.inp_faddr;
    socket.sin_port = pcb.inp_fport;
    fill(ends.sockets[0], socket);
    socket.sin_addr = pcb.inp_laddr;
    socket.sin_port = pcb.inp_lport;
    fill(ends.sockets[1], socket);
    return ends;
}

/// A head, then a struct xtcpcb for each, each with its length first; a head again at the end.
std::vector<Ends> parse(const std::vector<char>& listed) {
    std::vector<Ends> all;
    ksize_t length = 0;
    if (listed.size() < sizeof(xinpgen)) return all;
    std::memcpy(&length, listed.data(), sizeof length);
    for (std::size_t at = length; at + sizeof(ksize_t) <= listed.size(); at += length) {
        std::memcpy(&length, listed.data() + at, sizeof length);
        constexpr auto kNeeded = offsetof(xtcpcb, xt_inp) + sizeof(xinpcb);
        if (length < kNeeded || at + kNeeded > listed.size()) break;
        xinpcb pcb{};
        std::memcpy(&pcb, listed.data() + at + offsetof(xtcpcb, xt_inp), sizeof pcb);
        all.push_back(ends_of(pcb));
    }
    return all;
}

}  // namespace

Result<void> drop_connections(const std::vector<Prefix>& addresses) {
    if (addresses.empty()) return {};
    const auto listed = list();
    if (!listed) return std::unexpected(listed.error());
    for (auto& ends : parse(*listed)) {
        if (!ends.connected || std::ranges::find(addresses, ends.address, &Prefix::address) == addresses.end())
            continue;
        // ESRCH: it has just ended.
        if (::sysctlbyname(kDrop, nullptr, nullptr, ends.sockets.data(), sizeof ends.sockets) != 0 && errno != ESRCH)
            return std::unexpected(Error::from_errno("sysctl", errno, kDrop));
    }
    return {};
}

}  // namespace jaild::kernel::freebsd
