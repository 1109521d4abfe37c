#pragma once

#include "core/base/offload.h"

namespace jaild::api {

namespace asio = boost::asio;
using jaild::offload;

}  // namespace jaild::api
