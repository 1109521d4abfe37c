#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstring>

#include "core/base/offload.h"
#include "core/health/probe.h"

namespace jaild::health {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Socket = asio::generic::stream_protocol::socket;

constexpr std::uint32_t kHeadBytes = 16 * 1024;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

bool is_ready(Socket& socket, short events) {
    pollfd one{.fd = socket.native_handle(), .events = events, .revents = 0};
    return ::poll(&one, 1, 0) > 0;
}

/// errno of a connection that was under way; 0: it is made.
int connection_error(Socket& socket) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

http::request<http::empty_body> request_of(const Target& target) {
    http::request<http::empty_body> request{http::verb::get, target.spec.path, 11};
    request.set(http::field::host, target.host);
    request.set(http::field::user_agent, "jaild/" JAILD_VERSION);
    request.set(http::field::accept, "*/*");
    request.set(http::field::connection, "close");
    return request;
}

Outcome judge(const model::HealthSpec& spec, unsigned status) {
    if (status >= spec.first_status && status <= spec.last_status) return {.good = true};
    return {.message = fmt::format("status {}, not {}", status,
                                   spec.first_status == spec.last_status
                                       ? fmt::format("{}", spec.first_status)
                                       : fmt::format("{} to {}", spec.first_status, spec.last_status))};
}

Outcome no_answer(const boost::system::error_code& failed) {
    if (failed == http::error::end_of_stream || failed == http::error::partial_message)
        return {.message = "the connection was closed without an answer"};
    if (failed == http::error::header_limit || failed == http::error::buffer_overflow)
        return {.message = fmt::format("the answer's head has more than {} bytes", kHeadBytes)};
    if (failed.category() == make_error_code(http::error::bad_version).category())
        return {.message = "the answer is no HTTP: " + failed.message()};
    return {.message = failed.message()};
}

asio::awaitable<Outcome> ask(Socket& socket, const Target& target) {
    const auto [waited] = co_await socket.async_wait(Socket::wait_write, kAsTuple);
    if (waited) co_return failure(waited.message());
    if (const int error = connection_error(socket); error != 0) co_return failure(std::strerror(error));
    if (target.spec.kind == model::ProbeKind::tcp) co_return success();

    const auto request = request_of(target);
    const auto [unsent, sent] = co_await http::async_write(socket, request, kAsTuple);
    if (unsent) co_return no_answer(unsent);
    boost::beast::flat_buffer buffer(kHeadBytes);
    http::response_parser<http::empty_body> parser;
    parser.header_limit(kHeadBytes);
    const auto [unread, read] = co_await http::async_read_header(socket, buffer, parser, kAsTuple);
    if (unread) co_return no_answer(unread);
    co_return judge(target.spec, parser.get().result_int());
}

}  // namespace

asio::awaitable<Outcome> probe_by_network(Surroundings around, Target target) {
    if (!target.address) co_return failure("the jail has no address yet");
    auto connect = [&kernel = around.kernel, id = target.id, address = *target.address, port = target.spec.port] {
        return kernel.reach().connect(id, address, port);
    };
    auto connected = co_await offload(around.pool, connect);
    if (!connected) co_return failed_by(connected.error());
    Socket socket(around.io);
    boost::system::error_code failed;
    socket.assign(asio::generic::stream_protocol(AF_INET, 0), connected->release(), failed);
    if (failed) co_return failure(failed.message());

    bool late = false;
    // What it waits for first is to be connected.
    const auto answered = [&socket] { return is_ready(socket, POLLIN); };
    const auto expired = [&socket, &late] {
        late = true;
        boost::system::error_code ignored;
        socket.cancel(ignored);
    };
    const FairDeadline deadline(around.io, around.pulse, target.spec.timeout, answered, expired);
    auto outcome = co_await ask(socket, target);
    if (late) co_return too_late(target.spec.timeout);
    co_return outcome;
}

}  // namespace jaild::health
