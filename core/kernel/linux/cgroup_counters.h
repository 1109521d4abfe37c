#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/unique_fd.h"
#include "core/kernel/stats.h"

/// What the control groups of our jails have counted. Blocking.
namespace jaild::kernel::cgroups {

/// Where each controller is mounted: those of version 1 have a hierarchy each or share one, those of version 2 are in
/// one. They stay the same while a system runs.
struct Controllers {
    std::optional<std::filesystem::path> cpu{};
    std::optional<std::filesystem::path> cpuacct{};
    std::optional<std::filesystem::path> cpuset{};
    std::optional<std::filesystem::path> memory{};
    std::optional<std::filesystem::path> pids{};
    std::optional<std::filesystem::path> blkio{};
    std::optional<std::filesystem::path> unified{};  ///< version 2
};
Result<Controllers> controllers();

/// The groups of one installation, held open for one look at all of them. One thread.
class Counters {
public:
    Counters(const Controllers& controllers, const InstanceId& instance);

    /// Fills in what the jail's groups tell; a jail without groups keeps what it has. Its members, by the host's pids,
    /// are those of runc's that are on their way into it too.
    std::vector<std::int64_t> read(JailId id, JailCounters& into) const;
    [[nodiscard]] std::vector<std::int64_t> members(JailId id) const;

private:
    void read_cpu(JailId id, JailCounters& into) const;
    void read_memory(JailId id, JailCounters& into) const;
    void read_disks(JailId id, JailCounters& into) const;

    UniqueFd cpuacct_;
    UniqueFd memory_;
    UniqueFd pids_;
    UniqueFd blkio_;
    UniqueFd unified_;
};

}  // namespace jaild::kernel::cgroups
