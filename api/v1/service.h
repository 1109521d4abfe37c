#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <span>
#include <variant>

#include "api/http/limits.h"
#include "api/http/message.h"
#include "api/http/router.h"
#include "api/v1/event_feed.h"
#include "api/v1/jail_gates.h"
#include "api/v1/slots.h"
#include "core/supervisor.h"

namespace jaild::api {

/// What the handlers of /v1 work with. Outlives every request; I/O thread.
struct Service {
    Supervisor& supervisor;
    asio::thread_pool& pool;       ///< for what blocks on the store, on files of the state directory, on a long body
    asio::thread_pool& jail_pool;  ///< for what asks a kernel or a jail's shim, each of which may hang; by `gates`
    asio::thread_pool& transfer_pool;  ///< for exports and imports, a thread for each that there may be
    const std::atomic<bool>& ending;   ///< the server stops, and what runs on that pool should too
    const Limits& limits;
    EventFeed& feed;
    JailGates gates;
    Slots programs;
    Slots output_bytes;  ///< of programs, beyond what each has of its own
    Slots event_streams;
    Slots log_streams;
    Slots stats_streams;
    Slots uploads;
    Slots exports;
    Slots imports;
};

/// One line of the table of routes.
struct ServiceRoute {
    using Quick = Response (*)(Service&, const Request&);
    using Slow = asio::awaitable<Response> (*)(Service&, const Request&);

    Method method;
    std::string_view pattern;
    Access access;
    Content content;
    std::vector<std::string_view> parameters;
    std::variant<Quick, Slow> handler;
};

/// Everything that this API answers; openapi/jaild.yaml describes exactly this.
std::span<const ServiceRoute> service_routes();
/// `service` outlives the router.
void add_routes(Router& router, Service& service);

}  // namespace jaild::api
