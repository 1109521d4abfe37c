#include "api/client/connect.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace jaild::client {
namespace {

namespace asio = boost::asio;

Error connect_error(const Endpoint& endpoint, const boost::system::error_code& error) {
    const auto where = endpoint.to_string();
    if (error == asio::error::access_denied)
        return Error{.code = Errc::denied,
                     .op = "connect",
                     .sys = error.value(),
                     .detail = fmt::format("{} may not be opened", where),
                     .reason = "socket_denied",
                     .remedy = "ask as root, or as a member of the group jaild"};
    return Error{.code = Errc::not_found,
                 .op = "connect",
                 .sys = error.value(),
                 .detail = fmt::format("no jaild answers at {}: {}", where, error.message()),
                 .reason = "no_daemon",
                 .remedy = "start it (jaild), or name another with --host or JAILD_HOST"};
}

/// Beast's timeouts work on asynchronous calls only.
boost::system::error_code connect_to(asio::io_context& io, Stream& stream, const asio::ip::tcp::endpoint& address,
                                     Milliseconds within) {
    boost::system::error_code failed;
    stream.expires_after(within);
    stream.async_connect(address, [&failed](boost::system::error_code error) { failed = error; });
    io.restart();
    io.run();
    io.restart();  // whose next run is not over before it begins
    return failed;
}

}  // namespace

Result<void> connect(asio::io_context& io, Stream& stream, const Endpoint& endpoint, Milliseconds within) {
    boost::system::error_code error;
    if (!endpoint.path.empty()) {
        // The constructor throws for a path longer than sun_path.
        if (endpoint.path.size() >= sizeof(sockaddr_un{}.sun_path))
            return std::unexpected(connect_error(endpoint, asio::error::name_too_long));
        stream.socket().connect(asio::local::stream_protocol::endpoint(endpoint.path), error);
    } else {
        asio::ip::tcp::resolver resolver(io);
        const auto found = resolver.resolve(endpoint.host, endpoint.port, error);
        for (const auto& candidate : found) {
            stream.socket().close(error);
            error = connect_to(io, stream, candidate.endpoint(), within);
            if (!error) break;
        }
    }
    if (error) return std::unexpected(connect_error(endpoint, error));
    return {};
}

}  // namespace jaild::client
