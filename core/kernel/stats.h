#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/kernel/scope.h"

namespace jaild::kernel {

/// What went through one of a jail's interfaces, as the jail sees it: received is what came into it.
struct InterfaceCounters {
    unsigned index = 0;  ///< LinkId::index
    std::uint64_t received_bytes = 0;
    std::uint64_t received_packets = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t sent_packets = 0;
    bool operator==(const InterfaceCounters&) const = default;
};

/// What a living jail uses. What a kernel cannot tell is absent, never 0. What counts up begins with the jail, or where
/// a kernel counts by process only with its oldest process.
struct JailCounters {
    JailId id;
    std::optional<std::uint64_t> cpu_us{};        ///< processor time, counting up
    std::optional<std::uint64_t> memory_bytes{};  ///< without file contents that the kernel may drop at any time
    std::optional<std::uint64_t> memory_limit_bytes{};
    std::optional<std::uint64_t> processes{};
    std::optional<std::uint64_t> threads{};
    std::optional<std::uint64_t> open_files{};
    std::optional<std::uint64_t> read_bytes{};  ///< of disks, like the three below
    std::optional<std::uint64_t> written_bytes{};
    std::optional<std::uint64_t> read_operations{};
    std::optional<std::uint64_t> write_operations{};
    std::vector<InterfaceCounters> interfaces{};  ///< sorted; empty: it has no network stack of its own
    std::optional<Milliseconds> uptime{};
    bool operator==(const JailCounters&) const = default;
};

/// One process of a jail. Its root chooses what is in the texts: any bytes.
struct JailProcess {
    std::int64_t pid = 0;              ///< on the host
    std::int64_t jail_pid = 0;         ///< as the jail sees it; FreeBSD: the same
    std::int64_t parent = 0;           ///< on the host
    std::uint32_t uid = 0;             ///< effective
    std::string user{};                ///< by the jail's own passwd(5); empty: it has none of that number
    std::uint64_t cpu_us = 0;          ///< processor time
    std::uint64_t resident_bytes = 0;  ///< memory
    Milliseconds age{0};               ///< since it started
    std::string state{};               ///< "running", "sleeping", "waiting", "stopped", "zombie", "idle"
    std::string command{};             ///< with its arguments, at most kMaxCommand bytes; "[name]" where it has none
    bool held = false;                 ///< jaild's own, which the jail needs
    bool operator==(const JailProcess&) const = default;
};

inline constexpr std::size_t kMaxCommand = 4096;    ///< bytes of JailProcess::command
inline constexpr std::size_t kMaxProcesses = 4096;  ///< of one list

struct JailProcesses {
    std::vector<JailProcess> items;  ///< by pid
    bool truncated = false;          ///< there are more than kMaxProcesses
};

/// What the jails of this installation use, and their processes. Blocking, any thread.
class Stats {
public:
    virtual ~Stats() = default;
    /// Of the living ones, in the order of their ids, in one pass. For one jail also what is dear to find out.
    virtual Result<std::vector<JailCounters>> list(Scope scope) = 0;
    /// Of a jail that does not live: none.
    virtual Result<JailProcesses> processes(JailId id) = 0;
    /// To these processes, by the host's pids, or with none to all of the jail but those that jaild holds; whether a
    /// process is the jail's is asked of the kernel right before. Either all of those that are named get it, or none.
    /// Those that got it. Errc::not_found "process_not_found": it is no process of the jail (any more), with its place
    /// in `pids` as the field "/pids/0"; Errc::conflict "process_held".
    virtual Result<std::vector<std::int64_t>> signal(JailId id, int signal, const std::vector<std::int64_t>& pids) = 0;
};

/// The refusals of Stats::signal().
Error process_not_found(std::int64_t pid, std::size_t place);
Error process_held(std::int64_t pid, std::size_t place);

}  // namespace jaild::kernel
