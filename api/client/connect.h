#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include "api/client/endpoint.h"
#include "core/base/error.h"
#include "core/base/units.h"

namespace jaild::client {

using Stream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;

/// As long as one address of a host may take to answer.
inline constexpr Milliseconds kConnect{30'000};

/// Errors as Client::send(). Blocking, for `within` with each address of the host.
Result<void> connect(boost::asio::io_context& io, Stream& stream, const Endpoint& endpoint,
                     Milliseconds within = kConnect);

}  // namespace jaild::client
