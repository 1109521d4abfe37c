#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace jaild::kernel {

/// The head of runc's state.json (libcontainer's BaseState): process 1 of a container.
struct RuntimeRecord {
    std::int64_t pid = 0;
    std::int64_t started = 0;  ///< clock ticks since boot, as proc_pid_stat(5) has it
};

/// Nothing for a text that ends before both numbers came. Reads no further than it must: the rest, tens of kilobytes of
/// configuration, would be most of the time that a look at a thousand jails takes.
std::optional<RuntimeRecord> parse_runtime_record(std::string_view text);

}  // namespace jaild::kernel
