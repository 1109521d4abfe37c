#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include "api/client/endpoint.h"
#include "core/base/error.h"

namespace jaild::client {

using Stream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;

/// Errors as Client::send(). Blocking.
Result<void> connect(boost::asio::io_context& io, Stream& stream, const Endpoint& endpoint);

}  // namespace jaild::client
