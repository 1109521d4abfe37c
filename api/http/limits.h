#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/units.h"

namespace jaild::api {

/// What one server gives to its clients. Beyond each bound there is a status of its own, written beside it.
struct Limits {
    std::size_t header_bytes = 16 * 1024;                  ///< request line and fields: 431
    std::size_t target_bytes = 8 * 1024;                   ///< 414
    std::size_t body_bytes = 1024 * 1024;                  ///< 413
    std::uint64_t stream_bytes = std::uint64_t{64} << 30;  ///< of a body that is handed over as it comes: 413
    std::size_t json_depth = 64;                           ///< 400 "json_too_deep"
    Milliseconds header_timeout{
        15'000};  ///< from a request's first byte to its empty line: 408; to the first byte: closed
    Milliseconds body_timeout{30'000};            ///< of the whole body: 408
    Milliseconds stream_stall{60'000};            ///< nothing more of such a body: 408
    Milliseconds idle_timeout{75'000};            ///< between two requests: closed
    Milliseconds write_timeout{30'000};           ///< a reader that takes nothing for so long is dropped
    std::size_t connections = 512;                ///< of each transport: 503 "too_many_connections", then closed
    std::size_t refusals = 64;                    ///< connections beyond those that are still told so
    std::size_t event_streams = 64;               ///< followers of /v1/events: 503 "too_many_streams"
    std::size_t log_streams = 64;                 ///< followers of logs: 503 "too_many_streams"
    std::size_t stats_streams = 16;               ///< followers of stats: 503 "too_many_streams"
    std::size_t uploads = 4;                      ///< bodies that go to disk: 503 "too_many_uploads"
    std::size_t exports = 4;                      ///< of jails at a time: 503 "too_many_exports"
    std::size_t imports = 4;                      ///< 503 "too_many_imports"
    std::size_t programs = 64;                    ///< exec at a time: 503 "too_many_programs"
    std::size_t jail_calls = 4;                   ///< into one jail (exec until it runs, plan); the next ones wait
    Milliseconds jail_patience{10'000};           ///< so long: 503 "jail_not_answering"
    std::size_t exec_output_bytes = 1024 * 1024;  ///< of each stream, unless the request says otherwise; always kept
    std::size_t exec_output_max = 16 * 1024 * 1024;
    std::size_t exec_output_shared = 128 * 1024 * 1024;  ///< of all programs, beyond exec_output_bytes: truncated
    Milliseconds exec_timeout{60'000};                   ///< unless the request says otherwise
    Milliseconds exec_timeout_max{3'600'000};
    Milliseconds wait_max{300'000};        ///< `Prefer: wait` asks for more: it gets this
    Milliseconds event_keepalive{15'000};  ///< a comment on a silent stream
    Milliseconds shutdown_grace{3'000};    ///< for requests under way when the server stops
};

}  // namespace jaild::api
