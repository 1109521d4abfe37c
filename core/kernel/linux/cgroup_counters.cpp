#include "core/kernel/linux/cgroup_counters.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "core/kernel/linux/mountinfo.h"
#include "core/kernel/linux/pure/cgroup_texts.h"
#include "core/kernel/names.h"

namespace jaild::kernel::cgroups {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kProcsLimit = 4 << 20;

/// A name in a list with commas between.
bool has_option(std::string_view options, std::string_view name) {
    while (!options.empty()) {
        const auto comma = std::min(options.find(','), options.size());
        if (options.substr(0, comma) == name) return true;
        options.remove_prefix(std::min(comma + 1, options.size()));
    }
    return false;
}

UniqueFd open_parent(const std::optional<fs::path>& hierarchy, const InstanceId& instance) {
    if (!hierarchy) return {};
    const auto ours = *hierarchy / fs::path(cgroup_path(instance, JailId{1})).parent_path();
    return UniqueFd(::open(ours.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// Nothing when there is no such file. In three system calls, for there are thousands of them.
std::optional<std::string> read_file(const UniqueFd& parent, JailId id, const char* name, std::size_t limit = 65536) {
    if (!parent) return std::nullopt;
    const auto path = std::to_string(id.value) + '/' + name;
    const UniqueFd file(::openat(parent.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::string text;
    std::array<char, 8192> piece;
    while (text.size() < limit) {
        const auto got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;  // ENODEV: the group is going
        if (got == 0) break;
        text.append(piece.data(), static_cast<std::size_t>(got));
        if (static_cast<std::size_t>(got) < piece.size() / 2) break;  // the kernel gives what fits at once
    }
    return text;
}

std::optional<std::uint64_t> without(std::optional<std::uint64_t> all, std::optional<std::uint64_t> part) {
    if (!all) return std::nullopt;
    return *all - std::min(*all, part.value_or(0));
}

}  // namespace

Result<Controllers> controllers() {
    Controllers found;
    auto read = for_each_mount([&found](const MountEntry& entry) {
        const fs::path point = entry.point;
        if (entry.type == "cgroup2" && !found.unified) found.unified = point;
        if (entry.type != "cgroup") return;
        const auto take = [&](std::string_view name, std::optional<fs::path>& at) {
            if (!at && has_option(entry.super, name)) at = point;
        };
        take("cpu", found.cpu);
        take("cpuacct", found.cpuacct);
        take("cpuset", found.cpuset);
        take("memory", found.memory);
        take("pids", found.pids);
        take("blkio", found.blkio);
    });
    if (!read) return std::unexpected(read.error());
    return found;
}

Counters::Counters(const Controllers& controllers, const InstanceId& instance)
    : cpuacct_(open_parent(controllers.cpuacct, instance)),
      memory_(open_parent(controllers.memory, instance)),
      pids_(open_parent(controllers.pids, instance)),
      blkio_(open_parent(controllers.blkio, instance)),
      unified_(open_parent(controllers.unified, instance)) {}

void Counters::read_cpu(JailId id, JailCounters& into) const {
    constexpr std::uint64_t kNanoseconds = 1000;
    if (const auto usage = read_file(cpuacct_, id, "cpuacct.usage")) {
        if (const auto nanoseconds = number_in(*usage)) into.cpu_us = *nanoseconds / kNanoseconds;
    } else if (const auto stat = read_file(unified_, id, "cpu.stat")) {
        into.cpu_us = value_of(*stat, "usage_usec");
    }
}

void Counters::read_memory(JailId id, JailCounters& into) const {
    if (const auto usage = read_file(memory_, id, "memory.usage_in_bytes")) {
        const auto stat = read_file(memory_, id, "memory.stat").value_or("");
        into.memory_bytes = without(number_in(*usage), value_of(stat, "total_inactive_file"));
        into.memory_limit_bytes = limit_in(read_file(memory_, id, "memory.limit_in_bytes").value_or(""));
    } else if (const auto current = read_file(unified_, id, "memory.current")) {
        const auto stat = read_file(unified_, id, "memory.stat").value_or("");
        into.memory_bytes = without(number_in(*current), value_of(stat, "inactive_file"));
        into.memory_limit_bytes = limit_in(read_file(unified_, id, "memory.max").value_or(""));
    }
}

void Counters::read_disks(JailId id, JailCounters& into) const {
    const auto set = [&into](const DiskCounters& bytes, const DiskCounters& operations) {
        into.read_bytes = bytes.read;
        into.written_bytes = bytes.written;
        into.read_operations = operations.read;
        into.write_operations = operations.written;
    };
    if (const auto bytes = read_file(blkio_, id, "blkio.throttle.io_service_bytes"))
        set(blkio_in(*bytes), blkio_in(read_file(blkio_, id, "blkio.throttle.io_serviced").value_or("")));
    else if (const auto stat = read_file(unified_, id, "io.stat"))
        set(io_stat_in(*stat, "bytes"), io_stat_in(*stat, "ios"));
}

std::vector<std::int64_t> Counters::members(JailId id) const {
    for (const auto* parent : {&pids_, &unified_, &memory_, &cpuacct_})
        if (const auto text = read_file(*parent, id, "cgroup.procs", kProcsLimit)) return pids_in(*text);
    return {};
}

std::vector<std::int64_t> Counters::read(JailId id, JailCounters& into) const {
    read_cpu(id, into);
    read_memory(id, into);
    read_disks(id, into);
    auto processes = members(id);
    if (!processes.empty()) into.processes = processes.size();
    for (const auto* parent : {&pids_, &unified_})
        if (const auto threads = read_file(*parent, id, "pids.current")) {
            into.threads = number_in(*threads);
            break;
        }
    return processes;
}

}  // namespace jaild::kernel::cgroups
