#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"

/// Processes as kern.proc(3) shows them. Blocking, any thread.
namespace jaild::kernel::freebsd {

struct ProcessRow {
    pid_t pid = 0;
    pid_t parent = 0;
    int jid = 0;
    uid_t user = 0;             ///< effective
    std::int64_t started = 0;   ///< as shim::start_time() has it: microseconds since the epoch
    std::uint64_t cpu_us = 0;   ///< its own processor time
    std::uint64_t gone_us = 0;  ///< of its children that it waited for
    std::uint64_t resident_bytes = 0;
    std::uint64_t threads = 0;
    std::uint64_t reads = 0;  ///< of disks, operations
    std::uint64_t writes = 0;
    char state = 0;  ///< SRUN …, sys/proc.h
    bool waits_for_disk = false;
    std::string name;
    [[nodiscard]] bool zombie() const;
};

/// Every process of the host, in one go.
Result<std::vector<ProcessRow>> process_table();
/// Nothing when there is no such process.
Result<std::optional<ProcessRow>> process_row(pid_t pid);

/// Its arguments, or what it says instead (setproctitle(3)), with a NUL behind each; empty when it is gone or nobody
/// may know. At most 64 KiB.
std::string process_title(pid_t pid);
/// The same of its environment: "NAME=value".
std::string process_environment(pid_t pid);

/// "running" and so on, as kernel::JailProcess has it.
std::string state_of(const ProcessRow& row);

}  // namespace jaild::kernel::freebsd
