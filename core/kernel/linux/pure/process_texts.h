#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What /proc/<pid> says of a process, proc(5). Pure.
namespace jaild::kernel::proc {

/// /proc/<pid>/stat. Times are in ticks, sysconf(_SC_CLK_TCK), memory in pages.
struct Stat {
    std::string name;  ///< at most 15 bytes, any
    char state = '?';
    std::int64_t parent = 0;
    std::uint64_t cpu_ticks = 0;
    std::uint64_t started_ticks = 0;  ///< since boot
    std::uint64_t resident_pages = 0;
};
std::optional<Stat> parse_stat(std::string_view text);

/// "running" for 'R' and so on, as kernel::JailProcess has it.
std::string_view state_name(char state);

/// /proc/<pid>/status: its effective user, and its number in the innermost pid namespace that it is in.
struct Status {
    std::uint32_t uid = 0;
    std::int64_t inner_pid = 0;
    bool nested = false;  ///< that is not the namespace of whoever reads it
};
std::optional<Status> parse_status(std::string_view text);

/// /proc/<pid>/cmdline, with spaces for the NULs between; "[name]" when it is empty.
std::string command_of(std::string_view cmdline, std::string_view name);

/// A line of /proc/<pid>/cgroup is of this group ("jaild/k3f9a/12"), or of one beneath.
bool is_in_group(std::string_view cgroup_file, std::string_view group);

}  // namespace jaild::kernel::proc
