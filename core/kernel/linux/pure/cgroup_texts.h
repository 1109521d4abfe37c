#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// What the files of control groups say, cgroups(7): of version 1 in the kernel's Documentation/admin-guide/cgroup-v1,
/// of version 2 in admin-guide/cgroup-v2.rst. Pure.
namespace jaild::kernel::cgroups {

/// A file of one number; nothing for anything else, "max" too.
std::optional<std::uint64_t> number_in(std::string_view text);
/// memory.limit_in_bytes: without a limit it is the largest that the kernel can count pages for.
std::optional<std::uint64_t> limit_in(std::string_view text);
/// The number behind `key` in lines of "key number": memory.stat, cpu.stat.
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key);
/// One of the words between spaces: cgroup.controllers.
bool has_word(std::string_view text, std::string_view word);
/// cgroup.procs. Lines that are no pid (0: of another pid namespace) are left out.
std::vector<std::int64_t> pids_in(std::string_view text);

struct DiskCounters {
    std::uint64_t read = 0;
    std::uint64_t written = 0;
};
/// blkio.throttle.io_service_bytes and io_serviced of version 1: "8:0 Read 4096", summed over the devices.
DiskCounters blkio_in(std::string_view text);
/// io.stat of version 2: "8:0 rbytes=4096 wbytes=0 rios=1 …"; which of them: "bytes" or "ios".
DiskCounters io_stat_in(std::string_view text, std::string_view what);

}  // namespace jaild::kernel::cgroups
