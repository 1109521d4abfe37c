#include "core/kernel/linux/sockets.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "core/base/ip.h"

namespace jaild::kernel::sockets {
namespace {

namespace fs = std::filesystem;

struct Bound {
    IpAddress address;
    std::uint16_t port = 0;
    std::string inode;
};

std::uint32_t hex(std::string_view text) {
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

/// "0100007F:0016": 32 bits at a time in the byte order of this machine, then the port.
std::optional<Bound> parse_local(const std::string& text, Family family) {
    const std::size_t digits = family == Family::ipv4 ? 8 : 32;
    if (text.size() != digits + 5 || text[digits] != ':') return std::nullopt;
    Bound bound{.address = {.family = family}, .port = 0, .inode = {}};
    for (std::size_t i = 0; i < digits / 8; ++i) {
        const auto word = hex(std::string_view(text).substr(i * 8, 8));
        std::memcpy(bound.address.bytes.data() + i * 4, &word, sizeof word);
    }
    bound.port = static_cast<std::uint16_t>(hex(std::string_view(text).substr(digits + 1)));
    return bound;
}

/// Those that wait for anybody: TCP_LISTEN, and UDP sockets that are not connected.
std::vector<Bound> waiting(model::Protocol protocol, Family family) {
    const bool udp = protocol == model::Protocol::udp;
    std::ifstream file(
        fmt::format("/proc/thread-self/net/{}{}", udp ? "udp" : "tcp", family == Family::ipv6 ? "6" : ""));
    std::vector<Bound> all;
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::vector<std::string> fields;
        for (std::string word; words >> word;) fields.push_back(word);
        if (fields.size() < 10 || fields[3] != (udp ? "07" : "0A")) continue;
        if (auto bound = parse_local(fields[1], family)) {
            bound->inode = fields[9];
            all.push_back(*bound);
        }
    }
    return all;
}

bool any_address(const IpAddress& address) {
    return std::ranges::all_of(address.bytes, [](std::uint8_t byte) { return byte == 0; });
}

/// What a jail reaches by a published port of every address, loopback excepted: a listener there is in nobody's way.
bool loopback(const IpAddress& address) {
    if (address.family == Family::ipv4) return address.bytes[0] == 127;
    return address == *IpAddress::parse("::1");
}

bool takes(const Bound& bound, const model::Publish& publish) {
    if (!publish.host_port.contains(bound.port)) return false;
    if (!publish.host_address) return !loopback(bound.address);
    // "::" takes IPv4 too, unless its program said otherwise, which cannot be seen here.
    return bound.address == *publish.host_address || any_address(bound.address);
}

std::string owner_of(const std::string& inode) {
    const auto wanted = fmt::format("socket:[{}]", inode);
    std::error_code ignored;
    for (const auto& process : fs::directory_iterator("/proc", ignored)) {
        const auto pid = process.path().filename().string();
        if (pid.empty() || pid.front() < '0' || pid.front() > '9') continue;
        for (const auto& fd : fs::directory_iterator(process.path() / "fd", ignored)) {
            if (fs::read_symlink(fd.path(), ignored) != wanted) continue;
            std::ifstream file(process.path() / "comm");
            std::string name;
            std::getline(file, name);
            return fmt::format("{} (pid {})", name, pid);
        }
    }
    return "a socket that no process shows";
}

}  // namespace

Result<std::optional<std::string>> listener(const model::Publish& publish) {
    for (const Family family : {Family::ipv4, Family::ipv6})
        for (const auto& bound : waiting(publish.protocol, family))
            if (takes(bound, publish) &&
                (!publish.host_address || publish.host_address->family == family || family == Family::ipv6))
                return owner_of(bound.inode);
    return std::nullopt;
}

}  // namespace jaild::kernel::sockets
