#include "tests/host/dhcp_server_freebsd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "tests/host/net_socket.h"
#include "tests/results.h"

namespace jaild::test {
namespace {

// RFC 2131, figure 1.
constexpr std::size_t kClientAddress = 12;
constexpr std::size_t kYourAddress = 16;
constexpr std::size_t kMac = 28;
constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kCookie = 236;
constexpr std::size_t kOptions = 240;
constexpr std::uint16_t kServerPort = 67;
constexpr std::uint16_t kClientPort = 68;

/// RFC 2132
namespace dhcp_option {
constexpr std::uint8_t mask = 1;
constexpr std::uint8_t routers = 3;
constexpr std::uint8_t name_servers = 6;
constexpr std::uint8_t domain = 15;
constexpr std::uint8_t requested = 50;
constexpr std::uint8_t lease_time = 51;
constexpr std::uint8_t type = 53;
constexpr std::uint8_t server = 54;
constexpr std::uint8_t end = 255;
}  // namespace dhcp_option

/// Of dhcp_option::type.
namespace dhcp_message {
constexpr std::uint8_t discover = 1;
constexpr std::uint8_t offer = 2;
constexpr std::uint8_t request = 3;
constexpr std::uint8_t ack = 5;
constexpr std::uint8_t nak = 6;
}  // namespace dhcp_message

constexpr std::uint8_t kOwn = 254;

/// What is behind an option's code and length; empty without it.
std::span<const std::uint8_t> option_of(std::span<const std::uint8_t> packet, std::uint8_t wanted) {
    for (std::size_t at = kOptions; at + 1 < packet.size() && packet[at] != dhcp_option::end;) {
        if (packet[at] == 0) {
            ++at;
            continue;
        }
        const std::size_t length = packet[at + 1];
        if (at + 2 + length > packet.size()) break;
        if (packet[at] == wanted) return packet.subspan(at + 2, length);
        at += 2 + length;
    }
    return {};
}

std::array<std::uint8_t, 4> in_network(int host_part) {
    return {192, 0, 2, static_cast<std::uint8_t>(host_part)};
}

void send_to(int socket, std::array<std::uint8_t, 4> address, std::span<const std::uint8_t> packet) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kClientPort);
    std::memcpy(&to.sin_addr, address.data(), address.size());
    (void)::sendto(socket, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

}  // namespace

DhcpServer::DhcpServer(const std::string& network, int first, int last)
    : socket_(value_of(socket_in(network, AF_INET, SOCK_DGRAM))),
      leave_(value_of(Pipe::create())),
      first_(first),
      last_(last) {
    const int on = 1;
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(kServerPort);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
    thread_ = std::thread([this] { run(); });
}

DhcpServer::~DhcpServer() {
    leave_.write.reset();
    thread_.join();
}

void DhcpServer::run() {
    for (;;) {
        std::array<pollfd, 2> waiting{{{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                       {.fd = leave_.read.get(), .events = POLLIN, .revents = 0}}};
        if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
        if (waiting[1].revents != 0) return;
        Packet packet{};
        const auto size = ::recv(socket_.get(), packet.data(), packet.size(), 0);
        if (size > static_cast<ssize_t>(kOptions)) answer(packet, static_cast<std::size_t>(size));
    }
}

int DhcpServer::address_for(const std::string& mac) {
    if (const auto known = leases_.find(mac); known != leases_.end()) return known->second;
    for (int one = first_; one <= last_; ++one)
        if (std::ranges::none_of(leases_, [one](const auto& lease) { return lease.second == one; }))
            return leases_[mac] = one;
    return 0;
}

void DhcpServer::answer(const Packet& asked, std::size_t size) {
    const std::span<const std::uint8_t> packet(asked.data(), size);
    const auto kind = option_of(packet, dhcp_option::type);
    if (kind.size() != 1 || (kind[0] != dhcp_message::discover && kind[0] != dhcp_message::request)) return;
    const auto address = in_network(address_for(std::string(asked.begin() + kMac, asked.begin() + kMac + kMacBytes)));
    std::array<std::uint8_t, 4> from{};
    std::copy_n(asked.begin() + kClientAddress, from.size(), from.begin());
    auto wanted = from;
    if (const auto option = option_of(packet, dhcp_option::requested); option.size() == wanted.size())
        std::ranges::copy(option, wanted.begin());
    const bool refused = kind[0] == dhcp_message::request && wanted != address;

    Packet reply{};
    std::copy_n(asked.begin(), kCookie + 4, reply.begin());
    reply[0] = 2;
    if (!refused) std::ranges::copy(address, reply.begin() + kYourAddress);
    std::size_t at = kOptions;
    const auto put = [&](std::uint8_t code, std::span<const std::uint8_t> value) {
        reply[at++] = code;
        reply[at++] = static_cast<std::uint8_t>(value.size());
        for (const auto byte : value) reply[at++] = byte;
    };
    const auto own = in_network(kOwn);
    const std::array<std::uint8_t, 4> netmask{255, 255, 255, 0};
    const std::array<std::uint8_t, 4> two_minutes{0, 0, 0, 120};
    const std::array<std::uint8_t, 1> said{refused                            ? dhcp_message::nak
                                           : kind[0] == dhcp_message::request ? dhcp_message::ack
                                                                              : dhcp_message::offer};
    put(dhcp_option::type, said);
    put(dhcp_option::server, own);
    if (!refused) {
        put(dhcp_option::lease_time, two_minutes);
        put(dhcp_option::mask, netmask);
        put(dhcp_option::routers, own);
        put(dhcp_option::name_servers, in_network(53));
        constexpr std::array<std::uint8_t, 10> kDomain{'d', 'h', 'c', 'p', '.', 'l', 'o', 'c', 'a', 'l'};
        put(dhcp_option::domain, kDomain);
    }
    reply[at] = dhcp_option::end;
    // Who renews has its address; all others listen to everybody.
    const bool renews = from != std::array<std::uint8_t, 4>{} && !refused;
    send_to(socket_.get(), renews ? from : in_network(255), reply);
}

}  // namespace jaild::test
