#include "core/kernel/freebsd/pure/listeners.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>
#include <vector>

#include "core/kernel/freebsd/pure/pf_text.h"

namespace jaild::kernel::freebsd {
namespace {

/// USER COMMAND PID FD PROTO LOCAL FOREIGN, sockstat(1); a command may hold spaces.
struct Socket {
    std::string command;
    std::string pid;
    std::string protocol;  ///< "tcp4", "tcp6", "tcp46", "udp4" …
    std::string address;   ///< "*" for all
    std::uint16_t port = 0;
};

std::optional<Socket> parse(std::string_view line) {
    std::istringstream text{std::string(line)};
    std::vector<std::string> words;
    for (std::string word; text >> word;) words.push_back(word);
    constexpr std::size_t kColumns = 7;
    if (words.size() < kColumns) return std::nullopt;
    const auto at = [&](std::size_t from_end) { return words[words.size() - from_end]; };
    const auto local = at(2);
    const auto colon = local.rfind(':');
    if (colon == std::string::npos) return std::nullopt;
    Socket socket{.command = words[1], .pid = at(5), .protocol = at(3), .address = local.substr(0, colon)};
    for (std::size_t i = 2; i + 5 < words.size(); ++i) socket.command += " " + words[i];
    const auto* end = local.data() + local.size();
    if (std::from_chars(local.data() + colon + 1, end, socket.port).ptr != end) return std::nullopt;
    return socket;
}

bool takes(const Socket& socket, const model::Publish& publish) {
    if (!socket.protocol.starts_with(to_string(publish.protocol)) || !publish.host_port.contains(socket.port))
        return false;
    if (socket.address == "*") {
        const auto families = std::string_view(socket.protocol).substr(to_string(publish.protocol).size());
        if (!publish.host_address) return true;
        return families.contains(publish.host_address->family == Family::ipv4 ? '4' : '6');
    }
    const auto address = IpAddress::parse(socket.address.substr(0, socket.address.find('%')));
    if (!address) return false;
    if (publish.host_address) return *address == *publish.host_address;
    const bool loopback = address->family == Family::ipv4 ? address->bytes[0] == 127 : address->to_string() == "::1";
    return !loopback;
}

}  // namespace

std::optional<std::string> listener(std::string_view sockets, const model::Publish& publish) {
    for (const auto line : pf::lines(sockets)) {
        const auto socket = parse(line);
        if (socket && takes(*socket, publish)) return fmt::format("{} (pid {})", socket->command, socket->pid);
    }
    return std::nullopt;
}

}  // namespace jaild::kernel::freebsd
