#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <optional>

#include "core/health/fair_deadline.h"
#include "core/health/record.h"
#include "core/kernel/kernel.h"

/// One probe of one jail. Coroutines of the prober's thread; what blocks runs on `pool`.
namespace jaild::health {

/// Whom to ask, and what.
struct Target {
    JailId id;
    std::int64_t life = 0;  ///< of the jail: another one each time that it is made
    model::HealthSpec spec{};
    kernel::Program program{};           ///< exec
    std::optional<IpAddress> address{};  ///< tcp, http; nothing: it has none yet
    std::string host{};                  ///< http: of the header
    bool operator==(const Target& other) const;
};

struct Surroundings {
    boost::asio::io_context& io;
    boost::asio::thread_pool& pool;
    Pulse& pulse;
    kernel::Kernel& kernel;
};

/// A connection to the target's address and port and, of http, the head of the answer to a GET: at most 16 KiB. What
/// follows is not read, and a redirect not followed.
boost::asio::awaitable<Outcome> probe_by_network(Surroundings around, Target target);
/// A program in the jail, which is killed when it takes too long. What it prints last is the message.
boost::asio::awaitable<Outcome> probe_by_program(Surroundings around, Target target);

// Functions, for GCC 12 destroys the parts of an aggregate twice that is made in a co_return.
Outcome success();
Outcome failure(std::string message);
/// "no answer within 5 s"
Outcome too_late(Milliseconds timeout);
Outcome failed_by(const Error& error);

}  // namespace jaild::health
