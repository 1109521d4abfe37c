#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.h"

/// What a shim knows and must not forget: the file `state` in its directory, lines of "key value". Written by rename
/// and fsync by the holder of the lock only, before anybody is told; read by the daemon, whether the shim lives or not.
namespace jaild::shim {

enum class CommandState : std::uint8_t { none, running, exited };

struct ExitRecord {
    std::int64_t exit_code = 0;
    std::int64_t signal = 0;
    std::string reason;       ///< as model::LastExit
    std::int64_t at_ms = 0;   ///< UTC, since the epoch
    std::int64_t ran_ms = 0;  ///< 0: an older shim wrote it, or nobody knows
    bool operator==(const ExitRecord&) const = default;
};

struct ShimState {
    CommandState command = CommandState::none;
    std::int64_t command_pid = 0;
    std::int64_t command_start = 0;  ///< its start_time()
    bool start_done = false;
    std::uint32_t hooks_done = 0;  ///< a bit for each number of RunHook
    std::optional<ExitRecord> last_exit;
    std::int64_t jail_pid = 0;  ///< Linux: the jail's first process, 0 when not known
    std::int64_t jail_start = 0;
    std::string jail_boot{};  ///< boot_id() of both; empty in what an older shim wrote
    bool operator==(const ShimState&) const = default;
};

std::string format_state(const ShimState& state);
/// Keys of a later version are ignored. Nothing for what is no state.
std::optional<ShimState> parse_state(std::string_view text);

/// Errc::not_found: never written. Errc::corrupt.
Result<ShimState> read_state(int directory);
Result<void> write_state(int directory, const ShimState& state);

}  // namespace jaild::shim
