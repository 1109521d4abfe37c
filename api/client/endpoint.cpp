#include "api/client/endpoint.h"

#include <fmt/format.h>

#include <string_view>

namespace jaild::client {
namespace {

constexpr std::string_view kUnix = "unix://";
constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

Error refused(const std::string& text) {
    return Error{.code = Errc::invalid,
                 .op = "host",
                 .detail = fmt::format("\"{}\" names no daemon", text),
                 .reason = "host_invalid",
                 .remedy = "write unix:///path/to/jaild.sock or http://127.0.0.1:PORT"};
}

}  // namespace

Result<Endpoint> Endpoint::parse(const std::string& text) {
    if (text.starts_with(kUnix)) {
        auto path = text.substr(kUnix.size());
        if (!path.starts_with('/')) return std::unexpected(refused(text));
        return Endpoint{.path = std::move(path)};
    }
    if (text.starts_with(kHttps))
        return std::unexpected(Error{.code = Errc::unsupported,
                                     .op = "host",
                                     .detail = "jaild serves no TLS in this version",
                                     .reason = "tls_unsupported",
                                     .remedy = "use the UNIX socket over ssh, or http:// on loopback"});
    if (!text.starts_with(kHttp)) return std::unexpected(refused(text));
    auto authority = text.substr(kHttp.size());
    if (authority.ends_with('/')) authority.pop_back();
    const auto colon = authority.rfind(':');
    if (colon == std::string::npos || colon == 0 || authority.find('/') != std::string::npos)
        return std::unexpected(refused(text));
    Endpoint endpoint{.host = authority.substr(0, colon), .port = authority.substr(colon + 1)};
    const bool number = !endpoint.port.empty() && endpoint.port.find_first_not_of("0123456789") == std::string::npos;
    if (!number) return std::unexpected(refused(text));
    if (endpoint.host.starts_with('[') && endpoint.host.ends_with(']'))
        endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    return endpoint;
}

Endpoint Endpoint::usual() {
#ifdef __FreeBSD__
    return {.path = "/var/run/jaild.sock"};
#else
    return {.path = "/run/jaild.sock"};
#endif
}

std::string Endpoint::to_string() const {
    if (!path.empty()) return fmt::format("unix://{}", path);
    return host.find(':') == std::string::npos ? fmt::format("http://{}:{}", host, port)
                                               : fmt::format("http://[{}]:{}", host, port);
}

}  // namespace jaild::client
