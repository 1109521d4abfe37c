#include "api/http/host_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/ascii.h"
#include "core/base/ip.h"

namespace jaild::api {
namespace {

Error bad_host(std::string detail) {
    return {.code = Errc::invalid, .op = "host", .detail = std::move(detail), .reason = "bad_host"};
}

bool is_host_character(char c) {
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '%';
}

bool is_port(std::string_view text) {
    return text.size() <= 5 && std::ranges::all_of(text, is_digit);
}

}  // namespace

Result<std::string_view> host_of(std::string_view authority) {
    std::string_view host = authority;
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return std::unexpected(bad_host("Host has an address without \"]\""));
        host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
        if (!port.empty() && port.front() != ':') return std::unexpected(bad_host("Host has no port after \"]\""));
        auto address = IpAddress::parse(host);
        if (!address || address->family != Family::ipv6)
            return std::unexpected(bad_host("Host has no IPv6 address in its brackets"));
    } else {
        host = authority.substr(0, authority.find(':'));
        port = authority.substr(host.size());
        if (!std::all_of(host.begin(), host.end(), is_host_character))
            return std::unexpected(bad_host("Host is not a host name"));
    }
    if (!port.empty() && !is_port(port.substr(1))) return std::unexpected(bad_host("Host has no port after \":\""));
    return host;
}

bool is_loopback_name(std::string_view host) {
    if (equal_ignoring_case(host, "localhost") || equal_ignoring_case(host, "localhost.")) return true;
    const auto address = IpAddress::parse(host);
    if (!address) return false;
    if (address->family == Family::ipv4) return address->bytes[0] == 127;
    return address->to_string() == "::1";
}

Result<std::string_view> request_host(const Request& request) {
    const auto count = request.count("Host");
    if (count != 1)
        return std::unexpected(
            bad_host(count == 0 ? "the request has no Host field" : "the request has more than one Host field"));
    return host_of(*request.field("Host"));
}

Result<void> check_host(std::string_view host, const std::vector<std::string>& allowed) {
    const bool known = std::any_of(allowed.begin(), allowed.end(),
                                   [host](const auto& name) { return equal_ignoring_case(name, host); });
    if (known || is_loopback_name(host)) return {};
    return std::unexpected(Error{.code = Errc::denied,
                                 .op = "host",
                                 .detail = fmt::format("this server is not called \"{}\"", host),
                                 .reason = "host_not_allowed",
                                 .remedy = "use localhost, 127.0.0.1 or [::1]"});
}

}  // namespace jaild::api
