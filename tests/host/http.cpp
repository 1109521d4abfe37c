#include "tests/host/http.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "core/base/unique_fd.h"
#include "tests/host/eventually.h"

namespace jaild::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

Error failed(std::string_view op) {
    return Error::from_errno(op, errno);
}

Result<UniqueFd> connect_to(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path)
        return std::unexpected(Error::from_errno("connect", ENAMETOOLONG));
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return std::unexpected(failed("socket"));
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        return std::unexpected(failed("connect"));
    }
    return socket;
}

Result<void> send_all(int socket, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0) return std::unexpected(failed("send"));
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<std::string> receive_all(int socket, SteadyClock::time_point end) {
    std::string all;
    std::array<char, 16 * 1024> buffer{};
    for (;;) {
        const auto left = std::chrono::duration_cast<Milliseconds>(end - SteadyClock::now()).count();
        pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
        if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) == 0) {
            return std::unexpected(Error::from_errno("recv", ETIMEDOUT));
        }
        const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (got < 0) return std::unexpected(failed("recv"));
        if (got == 0) return all;
        all.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

/// RFC 9112 §7.1; trailers are dropped.
std::string unchunk(std::string_view body) {
    std::string all;
    while (!body.empty()) {
        std::size_t size = 0;
        const auto line = body.find("\r\n");
        std::from_chars(body.data(), body.data() + body.size(), size, 16);
        if (size == 0 || line == std::string_view::npos) break;
        all += body.substr(line + 2, size);
        body.remove_prefix(std::min(body.size(), line + 2 + size + 2));
    }
    return all;
}

Result<HttpReply> parse(const std::string& text) {
    const Error broken{.code = Errc::kernel, .op = "http", .detail = "no HTTP answer: " + text.substr(0, 80)};
    const auto head = text.find("\r\n\r\n");
    if (!text.starts_with("HTTP/1.1 ") || head == std::string::npos) return std::unexpected(broken);
    HttpReply reply;
    std::from_chars(text.data() + 9, text.data() + 12, reply.status);
    const auto first = text.find("\r\n") + 2;
    reply.headers = text.substr(first, head + 2 - first);
    reply.body = text.substr(head + 4);
    if (reply.headers.find("ransfer-Encoding: chunked") != std::string::npos) reply.body = unchunk(reply.body);
    return reply;
}

}  // namespace

Result<HttpReply> http(const std::filesystem::path& socket, const std::string& method, const std::string& path,
                       const std::string& body, const std::string& headers, Milliseconds patience) {
    const auto end = SteadyClock::now() + test::patience(patience);
    const auto connection = connect_to(socket);
    if (!connection) return std::unexpected(connection.error());
    auto request = method + ' ' + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers;
    if (!body.empty()) {
        if (headers.find("Content-Type:") == std::string::npos) request += "Content-Type: application/json\r\n";
        request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    if (auto sent = send_all(connection->get(), request + "\r\n" + body); !sent) return std::unexpected(sent.error());
    const auto answer = receive_all(connection->get(), end);
    if (!answer) return std::unexpected(answer.error());
    return parse(*answer);
}

}  // namespace jaild::test
